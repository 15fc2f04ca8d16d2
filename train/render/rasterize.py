"""Triangles to fragments: the fast way, on the CPU kernel. `reference.py` is its readable twin."""

import torch
from torch import Tensor

from s2hand.train.render.fragments import Fragments
from s2hand.train.render.kernels import FAR, NEAR, rasterize_batch
from s2hand.train.render.surface import locate


def rasterize(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3]
    image_size: tuple[int, int],  # height, width
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> Fragments:
    """Find the face that each pixel shows, and the place on it; the rules are those of `kernels`.

    cull: leave out faces that turn their back. near, far: the range of depth that is drawn, metres.

    Barycentric coordinates and depth carry the gradient of the vertices inside the faces. Which face a pixel
    shows is piecewise constant: what moves at silhouettes and where one face hides another is not in it.
    Tensors on another device are drawn on the CPU and copied: right, but slow.

    Raises ValueError if a shape is wrong or a face names a vertex that does not exist.
    """
    with torch.no_grad():
        drawn = rasterize_batch(
            vertices_px.detach().cpu().numpy(),
            faces.detach().cpu().numpy(),
            *image_size,
            cull,
            near,
            far,
            threads=torch.get_num_threads(),
        )
        face_index, barycentrics, depth = (torch.from_numpy(array).to(vertices_px.device) for array in drawn)
    if vertices_px.dtype == torch.float32 and not (torch.is_grad_enabled() and vertices_px.requires_grad):
        return Fragments(face_index, barycentrics, depth)
    surface = locate(vertices_px, faces, face_index)
    size = (len(face_index), *image_size)
    return Fragments(
        face_index, surface.spread(surface.weights.t(), size), surface.spread(surface.depth, size)
    )
