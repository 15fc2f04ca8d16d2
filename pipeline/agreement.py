"""How well 2D joints agree with detected keypoints, in pixels and in hand sizes; needs no ground truth."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

TRUSTED = 0.3
"""Detections of lower confidence say too little about where a joint is, and don't count."""
WITHIN = (0.1, 0.2)
WITHIN_GRID = np.linspace(0.0, 0.5, 101)


def agreement(
    joints_px: Floats,  # [N, 21, 2]
    keypoints: Floats,  # [N, 21, 3] x, y, confidence; NaN where the confidence is 0
) -> dict[str, float]:
    """Compare 2D joints with the detections.

    Returns `agreement_px`, the mean distance in pixels; `agreement_of_box`, the same in units of the hand's size
    (the longer side of the box around its trusted detections); and `within_0.1`, `within_0.2`, the shares of joints
    within so many hand sizes. Raises ValueError if no hand has two trusted detections.
    """
    pixels, relative = pixel_distances(joints_px, keypoints), relative_distances(joints_px, keypoints)
    known = np.isfinite(relative)
    if not known.any():
        raise ValueError(
            f"expected at least one hand with two detections of confidence {TRUSTED}, found none; "
            "look at the contact sheet of `s2hand detect run`"
        )
    return {
        "agreement_px": float(pixels[known].mean()),
        "agreement_of_box": float(relative[known].mean()),
        **{f"within_{limit}": float((relative[known] <= limit).mean()) for limit in WITHIN},
    }


def pixel_distances(joints_px: Floats, keypoints: Floats) -> Floats:
    """Return the distances [N, 21] in pixels to the trusted detections; NaN where there is none."""
    distances: Floats = np.linalg.norm(joints_px - _trusted(keypoints), axis=2)
    return distances


def relative_distances(joints_px: Floats, keypoints: Floats) -> NDArray[np.float64]:
    """Return the distances [N, 21] in hand sizes; NaN also for hands of fewer than two trusted detections."""
    found = _trusted(keypoints)
    usable = np.isfinite(found[..., 0]).sum(axis=1) >= 2
    size = np.full(len(found), np.nan)
    size[usable] = (np.nanmax(found[usable], axis=1) - np.nanmin(found[usable], axis=1)).max(axis=1)
    return np.asarray(pixel_distances(joints_px, keypoints) / np.maximum(size, 1.0)[:, None], np.float64)


def _trusted(keypoints: Floats) -> Floats:
    return np.where(keypoints[..., 2:] >= TRUSTED, keypoints[..., :2], np.nan)
