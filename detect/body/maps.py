"""The body network's small maps at the image's size, without ever filling the memory with maps of that size.

As for hands (`s2hand.detect.heatmaps`), enlarging and smoothing are linear in rows and in columns apart:
map = R M C^T. Here C is applied first, to all maps, which leaves them few rows; R is applied later, to the rows or
points that are asked for. 56 maps of a 12 megapixel photograph would take 2.7 GB.

In float64, as published: near the top of a map of a large photograph, neighbouring pixels differ by less than
float32 can tell, and noise makes several peaks of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.heatmaps import enlarging, smoothing
from s2hand.detect.pyramid import Level

THRESHOLD = 0.1
"""What a smoothed map must exceed at a peak."""

BAND_VALUES = 1 << 21
"""Values of the smoothed maps that are computed at a time."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Peaks:
    """The peaks of all parts of one image, part by part, in reading order within a part."""

    part: NDArray[np.int64]  # [N]
    xy: NDArray[np.int64]  # [N, 2] column and row of the pixel
    value: Floats  # [N] of the unsmoothed map

    def of_part(self, part: int) -> NDArray[np.int64]:
        """Return the indices of one part's peaks."""
        return np.flatnonzero(self.part == part)


@dataclass(frozen=True, eq=False)
class Enlarged:
    """Maps at the image's size that exist only where one looks: value[c, y, x] = rows[y] . columns[c, x]."""

    rows: Floats  # [H, K]; K is the sum of the maps' heights over the scales
    columns: Floats  # [C, W, K]

    def at(self, channel: int, xy: NDArray[np.int64]) -> Floats:  # [..., 2] column and row -> [...]
        """Return the values of one channel at pixels."""
        values: Floats = np.einsum("...k,...k->...", self.rows[xy[..., 1]], self.columns[channel][xy[..., 0]])
        return values


@dataclass(frozen=True)
class _Matrices:
    """What enlarges the maps of one image size, the scales side by side (H x K), and per scale (W x w_s)."""

    rows: Tensor
    columns: tuple[Tensor, ...]
    smooth_rows: Tensor
    smooth_columns: tuple[Tensor, ...]


def enlarge(maps: Sequence[Tensor], levels: Sequence[Level]) -> Enlarged:
    """Enlarge maps [C, h_s, w_s], one tensor per scale, and average the scales."""
    matrices = _cached_matrices(tuple(levels), maps[0].device)
    columns = _widen(maps, matrices.columns).transpose(1, 2)
    return Enlarged(matrices.rows.cpu().numpy(), columns.contiguous().cpu().numpy())


def find_peaks(maps: Sequence[Tensor], levels: Sequence[Level], threshold: float = THRESHOLD) -> Peaks:
    """Find the peaks of heatmaps [C, h_s, w_s], one tensor per scale, at the image's size.

    A peak is a pixel whose smoothed value exceeds the threshold and is not below those of its four neighbours; of
    equal neighbours the first in reading order is taken (the published code takes them all).
    """
    matrices = _cached_matrices(tuple(levels), maps[0].device)
    half = _widen(maps, matrices.smooth_columns)
    height = len(matrices.smooth_rows)
    step = max(1, BAND_VALUES // (half.shape[0] * half.shape[2]))
    bands = [(first, min(first + step, height)) for first in range(0, height, step)]
    found = [_band_peaks(matrices.smooth_rows, half, *band, threshold) for band in bands]
    places = torch.cat(found).cpu().numpy()
    places = places[np.lexsort((places[:, 2], places[:, 1], places[:, 0]))]
    part, xy = places[:, 0], places[:, :0:-1].copy()
    return Peaks(part, xy, _values(enlarge(maps, levels), part, xy))


def _values(enlarged: Enlarged, part: NDArray[np.int64], xy: NDArray[np.int64]) -> Floats:
    values = np.zeros(len(part))
    for channel in np.unique(part):
        values[part == channel] = enlarged.at(channel, xy[part == channel])
    return values


def _band_peaks(rows: Tensor, half: Tensor, first: int, last: int, threshold: float) -> Tensor:  # -> [N, 3]
    """Find the peaks in a band of rows of the smoothed maps rows @ half: part, row, column."""
    top, bottom = max(first - 1, 0), min(last + 1, len(rows))  # with the neighbours of the outermost rows
    smooth = rows[top:bottom] @ half
    active = torch.nonzero(smooth.amax(dim=(1, 2)) > threshold)[:, 0]  # most parts are in few bands
    smooth = smooth[active]
    peak = smooth > threshold
    peak[:, 1:] &= smooth[:, 1:] > smooth[:, :-1]
    peak[:, :-1] &= smooth[:, :-1] >= smooth[:, 1:]
    peak[:, :, 1:] &= smooth[:, :, 1:] > smooth[:, :, :-1]
    peak[:, :, :-1] &= smooth[:, :, :-1] >= smooth[:, :, 1:]
    part, row, column = torch.nonzero(peak[:, first - top : last - top], as_tuple=True)
    return torch.stack([active[part], row + first, column], dim=1)


def _widen(maps: Sequence[Tensor], columns: Sequence[Tensor]) -> Tensor:  # [C, h_s, w_s] each -> [C, K, W]
    return torch.cat([maps_s.double() @ columns_s.T for maps_s, columns_s in zip(maps, columns, strict=True)], dim=1)


@lru_cache(maxsize=16)
def _cached_matrices(levels: tuple[Level, ...], device: torch.device) -> _Matrices:
    height, width = levels[0].image
    rows = [enlarging(level.cells[0], level.resized[0], height) / len(levels) for level in levels]
    columns = [enlarging(level.cells[1], level.resized[1], width) for level in levels]

    def on_device(matrix: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(matrix)).to(device)

    return _Matrices(
        on_device(np.concatenate(rows, axis=1)),
        tuple(on_device(matrix) for matrix in columns),
        on_device(np.concatenate([smoothing(matrix) for matrix in rows], axis=1)),
        tuple(on_device(smoothing(matrix)) for matrix in columns),
    )
