"""Readable twins of the fast paths: peaks and limbs of OpenPose's body estimation from maps of the image's size.

Slow, and used by tests only: `maps.find_peaks` and `paf.limb_scores` must agree with these.
"""

import numpy as np
from numpy.typing import NDArray

from s2hand.detect.body.paf import ENOUGH, FIELD_THRESHOLD, SAMPLES
from s2hand.detect.reference import smooth_maps


def find_peaks(average: NDArray[np.float64], threshold: float) -> list[tuple[int, int, int]]:  # [C, H, W]
    """List the peaks as part, column, row: above the threshold, and no lower than the four neighbours."""
    found = []
    for part, smooth in enumerate(smooth_maps(average)):
        framed = np.pad(smooth, 1)
        for row, column in np.argwhere(smooth > threshold).tolist():
            around = framed[row : row + 3, column : column + 3]
            if around[1, 1] >= max(around[0, 1], around[2, 1], around[1, 0], around[1, 2]):
                found.append((part, column, row))
    return found


def limb_score(
    start: tuple[int, int],  # column and row
    end: tuple[int, int],
    field: NDArray[np.float64],  # [2, H, W] x and y
) -> float:
    """Score two pixels as the ends of a limb, 0 if they are none."""
    length = max(0.001, np.hypot(end[0] - start[0], end[1] - start[1]))
    direction = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    along = []
    for x, y in zip(np.linspace(start[0], end[0], SAMPLES), np.linspace(start[1], end[1], SAMPLES), strict=True):
        here = field[:, round(y), round(x)]
        along.append(float(here[0] * direction[0] + here[1] * direction[1]))
    score = float(np.mean(along)) + min(0.5 * field.shape[1] / length - 1, 0)
    enough = sum(value > FIELD_THRESHOLD for value in along) > ENOUGH * SAMPLES
    return score if enough and score > 0 else 0.0
