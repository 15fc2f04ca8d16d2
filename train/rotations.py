"""Rotations: axis-angle vectors and pairs of columns to matrices, with finite derivatives, and back."""

import torch
from torch import Tensor

_SMALL = 0.01  # squared angle below which the series is exact to the last bit of float64


def axis_angle_to_matrix(axis_angle: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of axis-angle vectors [..., 3] in radians; column vectors, v -> R v.

    Rodrigues' formula R = I + a K + b K^2 with K the cross product's matrix, a = sin(t)/t and
    b = (1 - cos(t))/t^2 as functions of t^2, the squared angle: near zero by their series, so that all
    derivatives are finite and right at no rotation too, where t itself has none.
    """
    x, y, z = axis_angle.unbind(-1)
    squared = (axis_angle * axis_angle).sum(-1)
    a, b = _sine_ratio(squared), _cosine_ratio(squared)
    # I + b (v v^T - t^2 I) + a K, written out: one stack instead of a chain of small matrix products.
    diagonal = 1.0 - b * squared
    ax, ay, az, bx, by = a * x, a * y, a * z, b * x, b * y
    bxy, bxz, byz = bx * y, bx * z, by * z
    entries = (
        diagonal + bx * x, bxy - az, bxz + ay,
        bxy + az, diagonal + by * y, byz - ax,
        bxz - ay, byz + ax, diagonal + b * z * z,
    )  # fmt: skip
    return torch.stack(entries, -1).view(*axis_angle.shape[:-1], 3, 3)


def _sine_ratio(squared: Tensor) -> Tensor:
    """sin(t)/t as a function of t^2."""
    small = squared < _SMALL
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    s = torch.where(small, squared, torch.zeros_like(squared))
    series = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110))))
    return torch.where(small, series, angle.sin() / angle)


def _cosine_ratio(squared: Tensor) -> Tensor:
    """(1 - cos(t))/t^2 as a function of t^2; 2 sin(t/2)^2 instead of 1 - cos(t), which cancels."""
    small = squared < _SMALL
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    s = torch.where(small, squared, torch.zeros_like(squared))
    series = 0.5 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90 * (1 - s / 132)))))
    return torch.where(small, series, 0.5 * ((angle / 2).sin() / (angle / 2)) ** 2)


def six_d_to_matrix(columns: Tensor) -> Tensor:
    """Rotation matrices [..., 3, 3] of any six numbers [..., 6]: their first two columns before Gram-Schmidt.

    Continuous over all rotations, which no three numbers are (Zhou et al., "On the Continuity of Rotation
    Representations in Neural Networks", 2019). Where the two columns vanish or are parallel the result is
    finite, but no rotation.
    """
    first, second = columns[..., :3], columns[..., 3:]
    x = _unit(first)
    y = _unit(second - (x * second).sum(-1, keepdim=True) * x)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def _unit(v: Tensor) -> Tensor:
    return v / (v.square().sum(-1, keepdim=True) + 1e-12).sqrt()


def matrix_to_axis_angle(matrix: Tensor) -> Tensor:
    """Axis-angle vectors [..., 3], of at most pi radians, of rotation matrices [..., 3, 3].

    By the quaternion whose largest component is computed first (Shepperd's method), so that it is exact to
    rounding for all angles, pi included. For values, not for gradients, which don't exist at pi.
    """
    trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
    # Each row is a multiple of the quaternion (w, x, y, z); the row with the largest diagonal is the best.
    m = matrix
    antisymmetric = torch.stack(
        [m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], dim=-1
    )
    symmetric = m + m.transpose(-1, -2)
    identity = torch.eye(3, dtype=m.dtype, device=m.device)
    vectors = symmetric + (1 - trace)[..., None, None] * identity
    rows = torch.cat(
        [
            torch.cat([(1 + trace).unsqueeze(-1), antisymmetric], dim=-1).unsqueeze(-2),
            torch.cat([antisymmetric.unsqueeze(-1), vectors], dim=-1),
        ],
        dim=-2,
    )  # [..., 4, 4]
    best = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None].expand(*m.shape[:-2], 1, 4)
    quaternion = rows.gather(-2, best).squeeze(-2)
    quaternion = quaternion * torch.where(quaternion[..., :1] < 0, -1.0, 1.0)
    length = torch.linalg.vector_norm(quaternion[..., 1:], dim=-1, keepdim=True)
    angle = 2 * torch.atan2(length, quaternion[..., :1])
    return torch.where(length > 0, quaternion[..., 1:] / length.clamp_min(1e-30) * angle, torch.zeros_like(angle))
