"""Structural similarity of images, differentiable and quick on every device.

Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity"
(2004), with its figures. The Gaussian filter is two matrix products: on a CPU many times as fast as the
convolutions that libraries use, whose values it has (the tests compare).
"""

import functools

import torch
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # pixels
K1, K2 = 0.01, 0.03


def ssim_map(one: Tensor, other: Tensor) -> Tensor:  # [B, C, H, W] in [0, 1], twice -> [B, C, H - 10, W - 10]
    """Structural similarity of each window that lies inside the images.

    Raises ValueError for images smaller than a window.
    """
    if min(one.shape[-2:]) < WINDOW:
        raise ValueError(f"images: expected at least {WINDOW} x {WINDOW} pixels, found {list(one.shape[-2:])}")
    rows, columns = (_filter_matrix(size, one.device, one.dtype) for size in one.shape[-2:])
    stacked = torch.stack([one, other, one * one, other * other, one * other])
    mean_1, mean_2, square_1, square_2, product = (rows @ (stacked @ columns.T)).unbind(0)
    c1, c2 = K1**2, K2**2
    mean_product, mean_squares = mean_1 * mean_2, mean_1.square() + mean_2.square()
    covariance, variances = product - mean_product, square_1 + square_2 - mean_squares
    similarity: Tensor = (2 * mean_product + c1) * (2 * covariance + c2)
    return similarity / ((mean_squares + c1) * (variances + c2))


@functools.cache
def _filter_matrix(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:  # [size - 10, size]
    """The Gaussian window at each of its places, as rows."""
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = (-0.5 * (offsets / SIGMA) ** 2).exp()
    matrix = torch.zeros(size - WINDOW + 1, size, dtype=torch.float64)
    for row in range(len(matrix)):
        matrix[row, row : row + WINDOW] = window / window.sum()
    return matrix.to(device, dtype)
