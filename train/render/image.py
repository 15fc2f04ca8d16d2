"""From a mesh, its colours, a camera and lights to an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train.render.camera import project
from s2hand.train.render.edges import move_edges
from s2hand.train.render.rasterize import rasterize
from s2hand.train.render.samples import pool_samples
from s2hand.train.render.shading import Lights, shade, vertex_normals

FARTHEST = 1e6
"""Metres. A vertex with a larger coordinate, or one that is not a number, is not drawn, nor are its faces."""


@dataclass(frozen=True)
class RenderedImage:
    """A rendered batch."""

    rgb: Tensor  # [B, 3, H, W], not clamped
    silhouette: Tensor  # [B, H, W] share of the pixel that the mesh covers, 0 to 1
    depth: Tensor  # [B, H, W] metres, of the covered part; 0 where there is none


def render_mesh(
    vertices: Tensor,  # [B, V, 3] camera, metres
    faces: Tensor,  # [F, 3]
    colors: Tensor,  # [B, V, 3]
    K: Tensor,  # [B, 3, 3]
    lights: Tensor,  # [B, 11]
    image_size: tuple[int, int],
    background: tuple[float, float, float] | Tensor,
    supersampling: int,
) -> RenderedImage:
    """Render; `s2hand.train.render.render` says how.

    Which face a sample shows is decided first; where on the face, how deep and in what colour is plain
    autograd. The gradient of that decision, at the edges of what is seen, is `move_edges`.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise ValueError(f"vertices: expected [B, V, 3], found {list(vertices.shape)}")
    if colors.shape != vertices.shape:
        raise ValueError(f"colors: expected {list(vertices.shape)}, found {list(colors.shape)}")
    if len(lights) != len(vertices):
        raise ValueError(f"lights: expected [{len(vertices)}, 11], found {list(lights.shape)}")
    if supersampling < 1:
        raise ValueError(f"supersampling: expected 1, 2, ..., found {supersampling}")
    usable = (vertices.abs() < FARTHEST).all(-1, keepdim=True)
    vertices = torch.where(usable, vertices, 0.0)
    vertices_px = project(vertices, K)
    finer_px = vertices_px * vertices.new_tensor((supersampling, supersampling, 1))
    height, width = (length * supersampling for length in image_size)
    face_index = rasterize(finer_px.detach(), faces, (height, width)).face_index
    normals, light = vertex_normals(vertices, faces), Lights.from_code(lights)
    # Looking into the mesh, at an open wrist, one sees the other side of its skin: the normal turns round.
    front, back = shade(colors, normals, light), shade(colors, -normals, light)
    behind = torch.as_tensor(background, dtype=vertices.dtype, device=vertices.device)
    sums = pool_samples(finer_px, faces, face_index, front, back, supersampling)
    image = _average(sums, behind, supersampling**2)
    if not (torch.is_grad_enabled() and vertices_px.requires_grad):
        return image
    rgb, silhouette = move_edges(image.rgb, image.silhouette, vertices_px, faces, front, back, behind)
    return RenderedImage(rgb, silhouette, image.depth)


def _average(
    sums: Tensor,  # [B, 5, h, w] of the covered samples: colours, depths, their number
    background: Tensor,  # [3], or [B or 1, 3, h, w]
    samples: int,  # of a pixel
) -> RenderedImage:
    """Average the samples of each pixel, those that no face covers being background."""
    count = sums[:, 4].detach()
    share = count / samples
    behind = background[:, None, None] if background.ndim == 1 else background
    mixed = sums[:, :3] / samples + behind * (1 - share[:, None])
    return RenderedImage(mixed, share, sums[:, 3] / count.clamp(min=1))
