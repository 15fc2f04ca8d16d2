"""How far each held-back hand is from its truth, or, where nobody knows that, from its detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, mirror_points_cam, mirror_points_px, to_crop
from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Annotations, Pack
from s2hand.pipeline.agreement import relative_distances
from s2hand.pipeline.report.predicted_hands import read_predictions
from s2hand.pipeline.report.units import CM, HAND_SIZES
from s2hand.train.metrics import score_hands

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class HandErrors:
    """N held-back hands, in the order of their pack.

    `errors` are mean joint errors: cm relative to the wrist, or distances to the detections in hand sizes, NaN where
    too little was detected. `aligned` are the former after Procrustes alignment.
    """

    names: Sequence[str]
    left: NDArray[np.bool_]  # [N]
    confidence: Floats  # [N] mean over the detected joints
    errors: Floats  # [N]
    aligned: Floats | None  # [N] cm; None where no truth is known

    @property
    def unit(self) -> str:
        """What `errors` are counted in."""
        return HAND_SIZES if self.aligned is None else CM


def read_errors(pack: Pack, predictions: Path) -> HandErrors:
    """Measure the hands of `predictions`, a table that `read_predictions` reads.

    Raises DataError where it is no such table, or not of this pack's hands.
    """
    hands, names = read_predictions(predictions), pack.names()
    if list(hands.names) != names:
        raise DataError(f"{predictions}: expected the {len(names)} hands of {pack.path}, found others; evaluate again")
    if hands.joints_cam is None or hands.joints_px is None:
        raise DataError(
            f"{predictions}: expected the columns joints_cam and joints_px, of this version; evaluate again"
        )
    annotations = pack.annotations(range(len(pack)))
    measured = mean_errors(annotations, hands.joints_cam, hands.joints_px)
    confidence = annotations.keypoints[..., 2].mean(axis=1)
    return HandErrors(names, annotations.mirrored, confidence, measured[0], measured[1] if pack.has_joints else None)


def mean_errors(
    annotations: Annotations,
    joints_cam: Floats | None,  # [B, 21, 3] metres
    joints_px: Floats | None,  # [B, 21, 2]
) -> Floats:  # [2 or 1, B]
    """Return `errors` and, with the truth, `aligned` of some rows, from joints as they are in the photographs.

    Those before the camera are needed where the truth is known, else those in pixels.
    """
    if annotations.joints_cam is None:
        assert joints_px is not None
        distances = relative_distances(_in_crops(annotations, joints_px), annotations.keypoints)
        known = np.isfinite(distances)
        sums = np.where(known, distances, 0.0).sum(axis=1)
        return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), np.nan)[None]
    assert joints_cam is not None
    truth = np.where(
        annotations.mirrored[:, None, None], mirror_points_cam(annotations.joints_cam), annotations.joints_cam
    )
    scores = score_hands(joints_cam, truth)
    return 100.0 * np.stack([scores.root.joints.mean(axis=1), scores.aligned.joints.mean(axis=1)])


def _in_crops(annotations: Annotations, joints_px: Floats) -> Floats:
    """Turn pixels [B, 21, 2] of photographs into those of the pack's crops, mirrored as they are."""
    size = annotations.size
    cut = np.stack(
        [to_crop(xy, Box(*map(float, box)), size) for xy, box in zip(joints_px, annotations.boxes, strict=True)]
    )
    crops: Floats = np.where(annotations.mirrored[:, None, None], mirror_points_px(cut, size), cut)
    return crops
