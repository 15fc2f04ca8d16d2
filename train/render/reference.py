"""The rasterizer's readable twin: every pixel against every face, in plain PyTorch.

Same signature and same rules as `rasterize`, written the way one would explain them. For tests and for
reading: it takes thousands of times as long.
"""

import math

import torch
from torch import Tensor

from s2hand.train.render.kernels import BACKGROUND, FAR, MIN_AREA, MIN_DEPTH, NEAR
from s2hand.train.render.rasterize import Fragments


def rasterize(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3]
    image_size: tuple[int, int],  # height, width
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Fragments:
    """Find the face that each pixel shows, and the place on it, by trying all of them.

    Works in float64 like the fast one, so that both see the same pixels on the same side of an edge; returns
    the type of the vertices. Barycentric coordinates and depth are differentiable.
    """
    drawn = [_rasterize_one(vertices.double(), faces.long(), image_size, cull, near, far) for vertices in vertices_px]
    face_index, barycentrics, depth = (torch.stack(images) for images in zip(*drawn, strict=True))
    return Fragments(face_index, barycentrics.to(vertices_px.dtype), depth.to(vertices_px.dtype))


def _rasterize_one(
    vertices: Tensor,  # [V, 3] float64
    faces: Tensor,  # [F, 3] int64
    image_size: tuple[int, int],
    cull: bool,
    near: float,
    far: float,
) -> tuple[Tensor, Tensor, Tensor]:  # [H, W] int32, [H, W, 3], [H, W]
    """Draw the faces of one mesh one after the other, keeping the nearest so far."""
    rows, columns = (torch.arange(size, dtype=torch.float64, device=vertices.device) for size in image_size)
    centres = torch.stack(torch.meshgrid(columns + 0.5, rows + 0.5, indexing="xy"), dim=-1)
    face_index = torch.full(image_size, BACKGROUND, dtype=torch.int32, device=vertices.device)
    barycentrics = vertices.new_zeros(*image_size, 3)
    depth = vertices.new_zeros(image_size)
    for face, corners in enumerate(vertices[faces]):
        if not _is_drawn(corners, cull):
            continue
        weights = _barycentrics(corners[:, :2], centres)
        inside = (weights >= 0).all(-1)
        # Outside the triangle the plane may pass through the camera: keep the division away from zero.
        z = 1 / torch.where(inside, (weights / corners[:, 2]).sum(-1), 1.0)
        visible = inside & (z.float() > near) & (z.float() < far)
        nearer = visible & ((face_index == BACKGROUND) | (z.float() < depth.float()))
        face_index = torch.where(nearer, face, face_index)
        barycentrics = torch.where(nearer[..., None], weights, barycentrics)
        depth = torch.where(nearer, z, depth)
    return face_index.int(), barycentrics, depth


def _is_drawn(corners: Tensor, cull: bool) -> bool:  # [3, 3]
    """Say whether a face is finite, in front, not degenerate, and, with `cull`, turned to the camera."""
    (ua, va, za), (ub, vb, zb), (uc, vc, zc) = corners.tolist()
    area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
    in_front = all(MIN_DEPTH < z < math.inf for z in (za, zb, zc))
    return in_front and MIN_AREA < abs(area) < math.inf and not (cull and area > 0)


def _barycentrics(corners: Tensor, points: Tensor) -> Tensor:  # [3, 2], [..., 2] -> [..., 3]
    """Return the share of the triangle's area that lies opposite each corner, seen from the points."""
    x, y = (corners - points[..., None, :]).unbind(-1)
    opposite = torch.stack([x[..., i] * y[..., j] - x[..., j] * y[..., i] for i, j in ((1, 2), (2, 0), (0, 1))], dim=-1)
    return opposite / opposite.sum(-1, keepdim=True)
