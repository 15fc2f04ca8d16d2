"""Rotations: axis-angle vectors to matrices, with exact and finite derivatives everywhere."""

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
