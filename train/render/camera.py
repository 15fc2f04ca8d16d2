"""Projection of points on the image plane, in PyTorch."""

import torch
from torch import Tensor

from s2hand.train.render.kernels import MIN_DEPTH


def project(
    points_cam: Tensor,  # [B, N, 3] metres, x right, y down, z forward
    K: Tensor,  # [B, 3, 3]
) -> Tensor:  # [B, N, 3] u, v pixels, z metres
    """Project by u = (K p)_x / z, v = (K p)_y / z and keep z, the depth.

    Pixels are continuous: the first pixel's centre is (0.5, 0.5). A point nearer than `MIN_DEPTH`, or behind
    the camera, has no projection: its u and v are finite but mean nothing, and its z says so.
    """
    if points_cam.ndim != 3 or points_cam.shape[2] != 3:
        raise ValueError(f"points_cam: expected [B, N, 3], found {list(points_cam.shape)}")
    if K.shape != (len(points_cam), 3, 3):
        raise ValueError(f"K: expected [{len(points_cam)}, 3, 3], found {list(K.shape)}")
    x, y, z = points_cam.unbind(-1)
    depth = torch.where(z > MIN_DEPTH, z, 1.0)
    # Written out: as a matrix product, autocast and TF32 would round it to whole pixels.
    u = (K[:, 0, 0, None] * x + K[:, 0, 1, None] * y) / depth + K[:, 0, 2, None]
    v = K[:, 1, 1, None] * y / depth + K[:, 1, 2, None]
    return torch.stack((u, v, z), dim=-1)
