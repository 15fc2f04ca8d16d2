"""What the covered samples of each pixel show, summed up, with gradients.

On a GPU in plain autograd, by `surface`; on the CPU by `sample_kernels`, whose twin that is.
"""

from typing import Any

import torch
from torch import Tensor

from s2hand.train.render.sample_kernels import sample_gradients, sum_samples
from s2hand.train.render.surface import interpolate, locate


def pool_samples(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels of the samples, z metres
    faces: Tensor,  # [F, 3]
    face_index: Tensor,  # [B, H, W] int32, -1: background
    front: Tensor,  # [B, V, C] colours of the vertices, for samples that see the front of a face
    back: Tensor,  # [B, V, C] the same, for those that see its back
    factor: int,  # samples of a side of a pixel; H and W are multiples of it
) -> Tensor:  # [B, C + 2, H / factor, W / factor]
    """Sum up colours, depths and the number of the covered samples of each pixel."""
    if vertices_px.is_cuda:  # pragma: no cover - needs a GPU
        return pool_by_autograd(vertices_px, faces, face_index, front, back, factor)
    kind = torch.promote_types(vertices_px.dtype, front.dtype)
    sides = torch.stack((front, back), dim=1).to(kind)
    pooled: Tensor = _PooledSamples.apply(vertices_px, sides, faces, face_index, factor)
    return pooled


def pool_by_autograd(
    vertices_px: Tensor, faces: Tensor, face_index: Tensor, front: Tensor, back: Tensor, factor: int
) -> Tensor:
    """As `pool_samples`, in plain PyTorch on any device."""
    surface = locate(vertices_px, faces, face_index)
    rgb, depth = interpolate(front, back, surface), surface.depth[None]
    height, width = face_index.shape[1:]
    size = (len(vertices_px), height, width)
    return surface.pool(torch.cat((rgb, depth, torch.ones_like(depth))), size, factor).transpose(0, 1)


class _PooledSamples(torch.autograd.Function):
    """`pool_samples` on the CPU."""

    @staticmethod
    def forward(ctx: Any, vertices_px: Tensor, sides: Tensor, faces: Tensor, face_index: Tensor, factor: int) -> Tensor:
        ctx.save_for_backward(vertices_px, faces, face_index, sides)
        ctx.factor = factor
        mesh, corners, seen, colors = (tensor.numpy() for tensor in (vertices_px, faces, face_index, sides))
        return torch.from_numpy(sum_samples(mesh, corners, seen, colors, factor, torch.get_num_threads()))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        mesh, corners, seen, colors, steep = (tensor.detach().numpy() for tensor in (*ctx.saved_tensors, *slopes))
        pulls = sample_gradients(mesh, corners, seen, colors, ctx.factor, steep, torch.get_num_threads())
        return (*(torch.from_numpy(pull).to(slopes[0].dtype) for pull in pulls), None, None, None)
