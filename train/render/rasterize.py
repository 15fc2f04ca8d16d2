"""Triangles to fragments: the fast way, by a kernel for the CPU or the GPU. `reference.py` is its readable twin."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train.render.kernels import FAR, NEAR, rasterize_batch
from s2hand.train.render.surface import locate
from s2hand.train.render.topology import mesh_topology


@dataclass(frozen=True)
class Fragments:
    """The visible surface, pixel by pixel. Background: face -1, all else 0."""

    face_index: Tensor  # [B, H, W] int32
    barycentrics: Tensor  # [B, H, W, 3] of the pixel's centre, on the screen; in [0, 1], sum 1
    depth: Tensor  # [B, H, W] metres, perspective-correct

    def __post_init__(self) -> None:
        size, kind = tuple(self.face_index.shape), self.face_index.dtype
        if len(size) != 3 or kind != torch.int32:
            raise ValueError(f"face_index: expected [B, H, W] int32, found {list(size)} {kind}")
        for name, tensor, expected in (
            ("barycentrics", self.barycentrics, (*size, 3)),
            ("depth", self.depth, size),
        ):
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name}: expected {list(expected)}, found {list(tensor.shape)}")


def rasterize(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3]
    image_size: tuple[int, int],  # height, width
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Fragments:
    """Find the face that each pixel shows, and the place on it; the rules are those of `kernels`.

    Barycentric coordinates and depth carry the gradient of the vertices inside the faces. Which face a pixel
    shows is piecewise constant: what moves at silhouettes and where one face hides another is not in it.
    Tensors on a GPU are drawn there.

    Args:
        cull: leave out faces that turn their back.
        near: from this depth on is drawn, metres.
        far: up to this depth.

    Raises:
        ValueError: a shape is wrong, or a face names a vertex that does not exist.
    """
    with torch.no_grad():
        draw = _draw_on_gpu if vertices_px.is_cuda else _draw_on_cpu
        face_index, barycentrics, depth = draw(vertices_px.detach(), faces, image_size, cull, near, far)
    if vertices_px.dtype == torch.float32 and not (torch.is_grad_enabled() and vertices_px.requires_grad):
        return Fragments(face_index, barycentrics, depth)
    surface = locate(vertices_px, faces, face_index)
    size = (len(face_index), *image_size)
    return Fragments(face_index, surface.spread(surface.weights.t(), size), surface.spread(surface.depth, size))


def _draw_on_cpu(
    vertices_px: Tensor, faces: Tensor, image_size: tuple[int, int], cull: bool, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    threads = torch.get_num_threads()
    arrays = rasterize_batch(vertices_px.numpy(), faces.numpy(), *image_size, cull, near, far, threads)
    face_index, barycentrics, depth = map(torch.from_numpy, arrays)
    return face_index, barycentrics, depth


def _draw_on_gpu(  # pragma: no cover - needs a GPU
    vertices_px: Tensor, faces: Tensor, image_size: tuple[int, int], cull: bool, near: float, far: float
) -> tuple[Tensor, Tensor, Tensor]:
    # Imported here: without a GPU nothing needs triton.
    from s2hand.train.render.triton_raster import rasterize_on_gpu

    topology = mesh_topology(faces)
    topology.check(vertices_px)
    return rasterize_on_gpu(vertices_px, topology.faces, image_size, cull, near, far)
