"""One peak per joint map: the maximum of the largest component, as OpenPose's hand estimation picks it.

The smoothed map is cut at a threshold (strictly above) into components (8-connected); the component with the
largest sum of the unsmoothed map wins, and within it the highest unsmoothed value, the first in reading order
if several are equal. Two published codes differ in the threshold (`variants.THRESHOLDS`). Maps on a GPU are searched
there, by `triton_peaks`. The readable twin of both is `s2hand.detect.reference.find_peaks`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Peaks:
    """Where each map peaks; a map without a component has value 0 and position -1."""

    xy: Tensor  # [N, 2] int64, column and row of the pixel
    value: Tensor  # [N] float32 of the unsmoothed map, not clipped

    def __post_init__(self) -> None:
        if self.xy.shape != (len(self.value), 2):
            raise ValueError(f"xy: expected shape {(len(self.value), 2)}, found {tuple(self.xy.shape)}")

    @property
    def found(self) -> Tensor:
        """Tell which maps have a peak."""
        return self.xy[:, 0] >= 0

    @classmethod
    def join(cls, parts: Sequence["Peaks"]) -> "Peaks":
        """Put the peaks of several groups of maps one after the other."""
        return cls(torch.cat([part.xy for part in parts]), torch.cat([part.value for part in parts]))


def find_peaks(
    average: Tensor,  # [N, H, W] float32, unsmoothed
    smoothed: Tensor,  # [N, H, W] float32
    threshold: float,
) -> Peaks:
    """Find the peak of each map, on the maps' device; on a GPU without waiting for it.

    On a CPU the interpreter's lock is released, so that threads can share the work.
    """
    if average.is_cuda:
        # Imported here: without a GPU nothing needs triton.
        from s2hand.detect.triton_peaks import find_peaks_on_gpu

        return Peaks(*find_peaks_on_gpu(average, smoothed, threshold))
    xy = np.full((len(average), 2), -1, np.int64)
    value = np.zeros(len(average), np.float32)
    _fill_peaks(average.numpy(), smoothed.numpy(), np.float32(threshold), xy, value)
    return Peaks(torch.from_numpy(xy), torch.from_numpy(value))


@numba.njit(nogil=True, cache=True)
def _fill_peaks(
    average: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    threshold: np.float32,
    xy: NDArray[np.int64],
    value: NDArray[np.float32],
) -> None:
    """Flood each component once, from its first pixel in reading order; keep the best of each map."""
    count, height, width = average.shape
    seen = np.empty((height, width), np.bool_)
    stack = np.empty(height * width, np.int64)
    for n in range(count):
        seen[:] = False
        best_sum = -np.inf
        for row in range(height):
            for column in range(width):
                if seen[row, column] or not smoothed[n, row, column] > threshold:
                    continue
                total, peak, at = _flood(average[n], smoothed[n], threshold, seen, stack, row, column)
                if total > best_sum:
                    best_sum = total
                    value[n] = peak
                    xy[n, 0] = at % width
                    xy[n, 1] = at // width
        if value[n] <= 0:  # the winner holds nothing above the zero that surrounds it: no peak
            value[n] = 0
            xy[n] = -1


@numba.njit(nogil=True, cache=True)
def _flood(
    average: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    threshold: np.float32,
    seen: NDArray[np.bool_],
    stack: NDArray[np.int64],
    row: int,
    column: int,
) -> tuple[float, np.float32, int]:
    """Visit one component: its sum, its highest value, and that value's first place in reading order."""
    height, width = average.shape
    total = 0.0
    at = row * width + column
    peak = average[row, column]
    stack[0] = at
    size = 1
    seen[row, column] = True
    while size > 0:
        size -= 1
        pixel = stack[size]
        y, x = pixel // width, pixel % width
        here = average[y, x]
        total += here
        if here > peak or (here == peak and pixel < at):
            peak, at = here, pixel
        for ny in range(max(y - 1, 0), min(y + 2, height)):
            for nx in range(max(x - 1, 0), min(x + 2, width)):
                if not seen[ny, nx] and smoothed[ny, nx] > threshold:
                    seen[ny, nx] = True
                    stack[size] = ny * width + nx
                    size += 1
    return total, peak, at
