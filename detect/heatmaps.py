"""The network's maps of all scales to one average map per joint at the image's size, and its smoothed form.

The original enlarges each map eightfold (cubic), cuts the padding, resizes to the image (cubic), averages the
scales and smooths with a Gaussian. All of it is linear and works on rows and columns apart, so that each
scale s has two small matrices, and

    average  = sum_s  R_s M_s C_s^T        smoothed = sum_s (G R_s) M_s (G C_s)^T

with M_s the map, R_s [H, h_s] and C_s [W, w_s] the two resizes of rows and columns in one, and G the
Gaussian. The step by step form is `s2hand.detect.reference.merge_maps`; tests compare the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array
from torch import Tensor

from s2hand.detect.openpose import STRIDE
from s2hand.detect.pyramid import Level
from s2hand.detect.transfer import upload

SIGMA = 3.0  # pixels of the image
CUBIC = -0.75  # OpenCV's parameter of the cubic kernel

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """The matrices of all scales for one axis: rows or columns of the maps."""

    plain: tuple[Tensor, ...]  # per scale [size, cells]
    smooth: tuple[Tensor, ...]  # the same, with the Gaussian after them


@dataclass(frozen=True)
class Merger:
    """The matrices of one image size on one device."""

    rows: Axis
    columns: Axis

    def average(self, maps: Sequence[Tensor]) -> Tensor:
        """Enlarge maps [N, h_s, w_s], one tensor per scale, and average the scales: [N, H, W]."""
        return _separable(self.rows.plain, self.columns.plain, maps)

    def smooth(self, maps: Sequence[Tensor]) -> Tensor:
        """Compute the Gaussian of `average(maps)`, not from it but from the small maps: [N, H, W]."""
        return _separable(self.rows.smooth, self.columns.smooth, maps)


def make_merger(levels: Sequence[Level], device: torch.device) -> Merger:
    """Collect the matrices for images of one size."""
    height, width = levels[0].image
    rows, columns = (tuple((level.cells[axis], level.resized[axis]) for level in levels) for axis in (0, 1))
    return Merger(_axis(rows, height, device), _axis(columns, width, device))


@lru_cache(maxsize=128)  # a data set of crops has few sizes, and rows and columns of a square share theirs
def _axis(sizes: tuple[tuple[int, int], ...], size: int, device: torch.device) -> Axis:
    """Make the matrices of one axis from each scale's cells and resized size, and move them to the device at once."""
    matrix = np.concatenate([enlarging(cells, resized, size) for cells, resized in sizes], axis=1)
    matrix /= np.sqrt(len(sizes))  # the average over the scales: half of it here, half in the other axis
    both = upload(torch.from_numpy(np.stack([matrix, smoothing(matrix)])).float(), device)
    plain, smooth = (one.split([cells for cells, _ in sizes], dim=1) for one in both)
    return Axis(plain, smooth)


def enlarging(cells: int, resized: int, size: int) -> Matrix:
    """Matrix [size, cells] of one axis: eightfold, cut to the resized image, then to the image's size."""
    matrix: Matrix = (cubic(resized, size, resized / size) @ _eightfold(cells)[:resized]).toarray()
    return matrix


@lru_cache(maxsize=64)
def _eightfold(cells: int) -> csr_array:
    return cubic(cells, cells * STRIDE, 1 / STRIDE)


def cubic(source: int, target: int, step: float) -> csr_array:
    """Sparse matrix [target, source] of OpenCV's cubic resize of one axis; `step` is source pixels per target pixel.

    Pixel centres are at i + 0.5, and the border pixel repeats outwards.
    """
    position = (np.arange(target)[:, None] + 0.5) * step - 0.5
    taps = np.floor(position) + np.arange(-1, 3)  # [target, 4]
    columns = np.clip(taps, 0, source - 1).astype(np.int64)
    rows = np.broadcast_to(np.arange(target)[:, None], columns.shape)
    weights = _cubic_kernel(position - taps)
    return csr_array((weights.ravel(), (rows.ravel(), columns.ravel())), shape=(target, source))


def smoothing(matrix: Matrix) -> Matrix:
    """Apply the Gaussian to the rows [size, cells] of one axis; the signal is mirrored at its two ends."""
    smooth: Matrix = gaussian_filter1d(matrix, SIGMA, axis=0)
    return smooth


def _cubic_kernel(distance: Matrix) -> Matrix:
    """Weigh a sample at a signed distance of up to two source pixels (Keys' kernel)."""
    x = np.abs(distance)
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = ((CUBIC * x - 5 * CUBIC) * x + 8 * CUBIC) * x - 4 * CUBIC
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _separable(rows: Sequence[Tensor], columns: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """Sum rows_s @ maps_s @ columns_s^T over the scales, as one product over the rows of all scales."""
    widened = [maps_s @ columns_s.T for maps_s, columns_s in zip(maps, columns, strict=True)]
    return torch.cat(list(rows), dim=1) @ torch.cat(widened, dim=1)
