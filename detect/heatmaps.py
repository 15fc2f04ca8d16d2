"""The network's maps of all scales to one average map per joint at the image's size, and its smoothed form.

The original enlarges each map eightfold (cubic), cuts the padding, resizes to the image (cubic), averages the
scales and smooths with a Gaussian. All of it is linear and works on rows and columns apart, so that each
scale s has two small matrices, and

    average  = sum_s  R_s M_s C_s^T        smoothed = sum_s (G R_s) M_s (G C_s)^T

with M_s the map, R_s [H, h_s] and C_s [W, w_s] the two resizes of rows and columns in one, and G the
Gaussian. Few entries of R_s are not zero: on a CPU the product with it, the larger one, adds up only these
(`taps`); a GPU is quicker with the whole of it. The step by step form is
`s2hand.detect.reference.merge_maps`; tests compare the two.
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
from s2hand.detect.taps import Taps
from s2hand.detect.transfer import upload

SIGMA = 3.0  # pixels of the image
CUBIC = -0.75  # OpenCV's parameter of the cubic kernel

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """A matrix of one axis, the scales side by side: to the rows or columns of the image from those of all maps."""

    matrix: Tensor  # [size, sum of cells]
    cells: tuple[int, ...]  # of each scale
    taps: Taps | None  # the same for the rows of maps on a CPU

    def widen(self, maps: Sequence[Tensor]) -> Tensor:
        """Multiply maps [N, h_s, w_s] from the right, scale by scale, and stack them: [N, sum of h_s, size]."""
        matrices = self.matrix.split_with_sizes(self.cells, dim=1)
        return torch.cat([maps_s @ matrix.T for maps_s, matrix in zip(maps, matrices, strict=True)], dim=1)

    def heighten(self, maps: Tensor) -> Tensor:
        """Multiply stacked maps [N, sum of cells, W] from the left, which sums the scales: [N, size, W]."""
        if self.taps is None:
            return self.matrix @ maps
        return torch.from_numpy(self.taps.apply(maps.numpy()))


@dataclass(frozen=True, eq=False)
class Axes:
    """Both matrices of one axis: without and with the Gaussian."""

    plain: Axis
    smooth: Axis


@dataclass(frozen=True)
class Merger:
    """The matrices of one image size on one device."""

    rows: Axes
    columns: Axes

    def average(self, maps: Sequence[Tensor]) -> Tensor:
        """Enlarge maps [N, h_s, w_s], one tensor per scale, and average the scales: [N, H, W]."""
        return self.rows.plain.heighten(self.columns.plain.widen(maps))

    def smooth(self, maps: Sequence[Tensor]) -> Tensor:
        """Compute the Gaussian of `average(maps)`, not from it but from the small maps: [N, H, W]."""
        return self.rows.smooth.heighten(self.columns.smooth.widen(maps))


def make_merger(levels: Sequence[Level], device: torch.device) -> Merger:
    """Collect the matrices for images of one size."""
    height, width = levels[0].image
    rows, columns = (tuple((level.cells[axis], level.resized[axis]) for level in levels) for axis in (0, 1))
    return Merger(_axes(rows, height, device), _axes(columns, width, device))


@lru_cache(maxsize=128)  # a data set of crops has few sizes, and rows and columns of a square share theirs
def _axes(sizes: tuple[tuple[int, int], ...], size: int, device: torch.device) -> Axes:
    """Make the matrices of one axis from each scale's cells and resized size, and move them to the device at once."""
    matrix = np.concatenate([enlarging(cells, resized, size) for cells, resized in sizes], axis=1)
    matrix /= np.sqrt(len(sizes))  # the average over the scales: half of it here, half in the other axis
    both = np.stack([matrix, smoothing(matrix)]).astype(np.float32)
    cells = tuple(cells for cells, _ in sizes)
    taps = [Taps.of(one) if device.type == "cpu" else None for one in both]
    plain, smooth = upload(torch.from_numpy(both), device)
    return Axes(Axis(plain, cells, taps[0]), Axis(smooth, cells, taps[1]))


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
