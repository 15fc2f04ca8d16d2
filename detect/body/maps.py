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
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.heatmaps import enlarging, smoothing
from s2hand.detect.pyramid import Level

THRESHOLD = 0.1
"""What a smoothed map must exceed at a peak."""

TILE = 32
"""Side of the squares, in pixels, in which peaks are searched; only those are that can hold one."""

TILES_AT_A_TIME = 1024

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

    A peak is a pixel whose smoothed value exceeds the threshold, which is positive, and is not below those of its four
    neighbours; of equal neighbours the first in reading order is taken (the published code takes them all). Outside
    of the image the maps are 0.
    """
    matrices = _cached_matrices(tuple(levels), maps[0].device)
    rows = _tiles(matrices.smooth_rows.T)  # [I, K, 34]
    columns = _tiles(_widen(maps, matrices.smooth_columns)).transpose(0, 1)  # [C, J, K, 34]
    found: list[list[int]] = []  # not small tensors, between which freed large ones would be lost to the allocator
    for tiles in torch.split(torch.nonzero(_highest(rows, columns) > threshold), TILES_AT_A_TIME):
        found += _tile_peaks(rows, columns, tiles, threshold).tolist()
    places = np.array(found, np.int64).reshape(-1, 3)
    places = places[np.lexsort((places[:, 2], places[:, 1], places[:, 0]))]
    part, xy = places[:, 0], places[:, :0:-1].copy()
    return Peaks(part, xy, _values(enlarge(maps, levels), part, xy))


def _values(enlarged: Enlarged, part: NDArray[np.int64], xy: NDArray[np.int64]) -> Floats:
    values = np.zeros(len(part))
    for channel in np.unique(part):
        values[part == channel] = enlarged.at(channel, xy[part == channel])
    return values


def _tiles(lines: Tensor) -> Tensor:  # [..., L] -> [T, ..., 34]
    """Cut the last axis into tiles, each with its outermost neighbours; there are zeros outside."""
    length = lines.shape[-1]
    padded = F.pad(lines, (1, -length % TILE + 1))
    return padded.unfold(-1, TILE + 2, TILE).movedim(-2, 0)


def _highest(rows: Tensor, columns: Tensor) -> Tensor:  # [I, K, 34], [C, J, K, 34] -> [C, I, J]
    """Bound the smoothed maps in each tile from above, so that few tiles need to be computed."""
    bounds = (
        torch.einsum("ik,cjk->cij", (sign * rows).amax(-1).clamp(min=0), (sign * columns).amax(-1).clamp(min=0))
        for sign in (1, -1)
    )
    return sum(bounds, start=torch.zeros((), device=rows.device))


def _tile_peaks(rows: Tensor, columns: Tensor, tiles: Tensor, threshold: float) -> Tensor:  # [n, 3] -> [N, 3]
    """Find the peaks in tiles (part, tile of rows, tile of columns) of the smoothed maps: part, row, column."""
    part, down, across = tiles.T
    smooth = rows[down].transpose(1, 2) @ columns[part, across]  # [n, 34, 34]
    here = smooth[:, 1:-1, 1:-1]
    peak = here > threshold
    peak &= (here > smooth[:, :-2, 1:-1]) & (here >= smooth[:, 2:, 1:-1])
    peak &= (here > smooth[:, 1:-1, :-2]) & (here >= smooth[:, 1:-1, 2:])
    tile, row, column = torch.nonzero(peak, as_tuple=True)
    return torch.stack([part[tile], down[tile] * TILE + row, across[tile] * TILE + column], dim=1)


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
