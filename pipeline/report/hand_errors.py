"""How far each held-back hand is from its truth, or, where nobody knows that, from its detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, mirror_points_cam, mirror_points_px, to_crop
from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Annotations, Pack
from s2hand.pipeline.agreement import relative_distances
from s2hand.pipeline.layout import PREDICTIONS
from s2hand.train.metrics import score_hands

Floats = NDArray[np.floating[Any]]

TABLE = PREDICTIONS / "predictions.parquet"


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
        return "hand sizes" if self.aligned is None else "cm"


def read_errors(pack: Pack, predictions: Path) -> HandErrors:
    """Measure the hands of `predictions` (a Parquet table, as `write_predictions` leaves it).

    Raises DataError where it is no such table, or not of this pack's hands.
    """
    try:
        table = pq.read_table(predictions, columns=["image", "joints_cam", "joints_px"])
    except (pa.ArrowInvalid, OSError):
        raise DataError(f"{predictions}: not the predictions of this version, or cut short; evaluate again") from None
    names = pack.names()
    if table["image"].to_pylist() != names:
        raise DataError(f"{predictions}: expected the {len(names)} hands of {pack.path}, found others; evaluate again")
    joints_cam, joints_px = (_array(table[name], 21) for name in ("joints_cam", "joints_px"))
    annotations = pack.annotations(range(len(pack)))
    measured = mean_errors(annotations, joints_cam, joints_px)
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


def _array(column: Any, points: int) -> Floats:
    """Return a column of lists as [N, points, 2 or 3]."""
    flat: Floats = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), points, -1)
