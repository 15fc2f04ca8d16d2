"""Which square of a photograph becomes a crop: what the detector looked at, or what is around the hand in it."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box

Around = Literal["square", "keypoints"]
"""The square that the detector looked at, or the hand: a box that is known, else the trusted keypoints."""

TRUSTED = 0.3
"""Keypoints of lower confidence don't say where the hand is, unless there are no others."""


def crop_square(
    looked_at: Box,
    keypoints: NDArray[np.float32] | None,  # [21, 3] x, y, confidence
    around: Around,
    scale: float,
    known: Box | None = None,
) -> Box:
    """Return the square to cut: `scale` times as wide as what it is cut around."""
    if around == "keypoints":
        looked_at = known or around_keypoints(keypoints) or looked_at
    return widened_square(looked_at, scale)


def widened_square(box: Box, scale: float) -> Box:
    """Return the square around a box's centre whose side is its longer side times `scale`."""
    side = max(box.w, box.h) * scale
    return Box(box.x + (box.w - side) / 2, box.y + (box.h - side) / 2, side, side)


def around_keypoints(keypoints: NDArray[np.float32] | None) -> Box | None:  # [21, 3] x, y, confidence
    """Return the smallest box around the trusted keypoints, else around all that were found; None below two places."""
    if keypoints is None:
        return None
    for least in (TRUSTED, np.finfo(np.float32).tiny):
        xy = keypoints[keypoints[:, 2] >= least, :2].astype(float)
        if len(xy) >= 2 and (extent := np.ptp(xy, axis=0)).max() > 0:
            corner, sides = xy.min(axis=0), np.maximum(extent, 1e-3)
            return Box(*map(float, (*corner, *sides)))
    return None
