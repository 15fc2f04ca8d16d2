"""Where a hand is in its crop by the pixels alone, to compare a reconstructed silhouette with where no mask is known.

No network has a part in the outline: GrabCut (Rother, Kolmogorov, Blake, SIGGRAPH 2004) separates colours like those
along the detected bones from those far away from them. Detections only say where to begin.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.crop_boxes import TRUSTED
from s2hand.datasets.skeleton import BASES, BONES, TIPS, WRIST

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

FEWEST_JOINTS = 12
"""Trusted detections below which too little of the hand is known to begin with."""
_SEED, _NEAR, _FAR = 0.03, 0.2, 0.4  # widths of bones, in hand sizes: surely hand, perhaps hand; beyond: surely not
_ROUNDS = 4
_SIDE = 128  # pixels that a larger crop is scaled down to


def hand_region(
    image: NDArray[np.uint8],  # [S, S, 3]
    keypoints: Floats,  # [21, 3] x, y in pixels of the image, confidence
) -> Mask | None:
    """Return which pixels [S, S] of a crop show the hand by their colour; None where too few joints are trusted."""
    trusted = keypoints[:, 2] >= TRUSTED
    if trusted.sum() < FEWEST_JOINTS:
        return None
    size = image.shape[0]
    scale = min(1.0, _SIDE / size)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    labels = _first_labels(keypoints[:, :2] * scale, trusted, small.shape[0])
    if not (labels == cv2.GC_BGD).any():
        return None
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # the rectangle below is not read
    cv2.setRNGSeed(0)  # of this thread: the first clusters are drawn at random
    cv2.grabCut(small, labels, (0, 0, 1, 1), background, foreground, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.resize(found, (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)


def before_wrist(keypoints: Floats, size: int) -> Mask:  # [21, 3] -> [S, S]
    """Return the pixels on the hand's side of the wrist; a photograph goes on there with an arm, a hand model ends.

    All pixels where the wrist, or all bases of fingers, are not trusted.
    """
    bases = [joint for joint in BASES if keypoints[joint, 2] >= TRUSTED]
    if keypoints[WRIST, 2] < TRUSTED or not bases:
        return np.ones((size, size), bool)
    wrist = keypoints[WRIST, :2]
    along = keypoints[bases, :2].mean(axis=0) - wrist
    centres = np.arange(size) + 0.5
    side: Mask = (centres[None, :] - wrist[0]) * along[0] + (centres[:, None] - wrist[1]) * along[1] > 0
    return side


def overlap(a: Mask, b: Mask, where: Mask) -> float:
    """Return the intersection of two masks over their union, among the pixels `where`; NaN if both are empty."""
    union = ((a | b) & where).sum()
    return float((a & b & where).sum() / union) if union else float("nan")


def _first_labels(xy: Floats, trusted: Mask, size: int) -> NDArray[np.uint8]:
    """Say of each pixel, by its distance to the detected bones, whether it is hand surely, perhaps, or not at all."""
    palm = [joint for joint in (WRIST, *BASES) if trusted[joint]]
    bones = [(a, b) for a, b in BONES if trusted[a] and trusted[b]]
    spread = xy[trusted]
    hand = float(np.ptp(spread, axis=0).max())

    def drawn(width: float) -> Mask:
        canvas = np.zeros((size, size), np.uint8)
        for a, b in bones:
            cv2.line(canvas, _pixel(xy[a]), _pixel(xy[b]), 1, max(1, round(width * hand)))
        if len(palm) >= 3:
            cv2.fillConvexPoly(canvas, cv2.convexHull(np.array([_pixel(xy[joint]) for joint in palm])), 1)
        return canvas.astype(bool)

    labels = np.full((size, size), cv2.GC_BGD, np.uint8)
    labels[drawn(_FAR)] = cv2.GC_PR_BGD
    labels[drawn(_NEAR)] = cv2.GC_PR_FGD
    labels[drawn(_SEED)] = cv2.GC_FGD
    for tip in TIPS:  # a detection may lie on the outline, or beyond
        if trusted[tip]:
            cv2.circle(labels, _pixel(xy[tip]), max(1, round(_SEED * hand)), cv2.GC_PR_FGD, -1)
    return labels


def _pixel(xy: Floats) -> tuple[int, int]:
    return int(np.floor(xy[0])), int(np.floor(xy[1]))
