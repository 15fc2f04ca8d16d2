"""What the readers of labels return: hands, by image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.pixel_indices import from_indices
from s2hand.datasets.records import Hand
from s2hand.datasets.skeleton import JOINT_COUNT

MOST_CONFIDENT = 2.0
"""Heatmaps overshoot 1 a little, and COCO's v is 2: both count as 1. What is above is no confidence."""


@dataclass(frozen=True, eq=False)
class LabelledHand:
    """One hand as a file labels it."""

    hand: Hand
    keypoints: NDArray[np.float32]  # [21, 3] x, y in continuous pixels, confidence; NaN, NaN, 0 where not labelled
    box: Box | None  # None: the whole image


Labels = dict[str, list[LabelledHand]]
"""The hands of each image that a file labels, by the image's path relative to the folder of images."""


def joints_from_indices(xy: ArrayLike, confidence: ArrayLike) -> NDArray[np.float32]:
    """Make keypoints [21, 3] of 21 x 2 pixel indices and 21 confidences, of which 0 says that a joint is missing.

    Raises ValueError, in a few words, for another number of joints, or numbers that can't be.
    """
    points, values = _numbers(xy), _numbers(confidence)
    if points.shape != (JOINT_COUNT, 2) or values.shape != (JOINT_COUNT,):
        found = f"{points.shape} and {values.shape}"
        raise ValueError(f"expected x, y and a confidence of {JOINT_COUNT} joints, found numbers of shape {found}")
    outside = ~((values >= 0) & (values <= MOST_CONFIDENT))
    if outside.any():
        raise ValueError(f"expected confidences from 0 to 1, found {values[outside][0]}")
    missing = values == 0
    if not np.isfinite(points[~missing]).all():
        raise ValueError("expected finite coordinates")
    result = np.empty((JOINT_COUNT, 3), np.float32)
    result[:, :2] = from_indices(points)
    result[:, 2] = np.minimum(values, 1)
    # A confidence so small that float32 makes it 0 says that nothing was found.
    result[result[:, 2] == 0] = (np.nan, np.nan, 0)
    return result


def joints_from_list(flat: ArrayLike) -> NDArray[np.float32]:
    """Make keypoints [21, 3] of a list of 63: x, y, confidence; ValueError as above."""
    numbers = _numbers(flat)
    if numbers.shape != (3 * JOINT_COUNT,):
        raise ValueError(f"expected {3 * JOINT_COUNT} numbers, x, y, confidence of each joint, found {numbers.size}")
    return joints_from_indices(numbers.reshape(JOINT_COUNT, 3)[:, :2], numbers[2::3])


def is_labelled(keypoints: NDArray[np.float32]) -> bool:
    """Tell whether any joint is."""
    return bool((keypoints[:, 2] > 0).any())


def _numbers(value: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
