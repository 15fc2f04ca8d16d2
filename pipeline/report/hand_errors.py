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
from s2hand.datasets.packs import Pack, Rows
from s2hand.pipeline.agreement import relative_distances
from s2hand.pipeline.layout import PREDICTIONS
from s2hand.train.metrics import score_hands

Floats = NDArray[np.floating[Any]]

TABLE = PREDICTIONS / "predictions.parquet"

_CHUNK = 256  # rows of a pack, whose images are read with them


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
    """Measure the hands of `predictions` (a Parquet table, as `write_predictions` leaves it), a chunk at a time.

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
    errors, confidence = [], []
    for start in range(0, len(names), _CHUNK):
        chosen = np.arange(start, min(start + _CHUNK, len(names)))
        rows = pack.rows(chosen)
        confidence.append(rows.keypoints[..., 2].mean(axis=1))
        errors.append(mean_errors(rows, joints_cam[chosen], joints_px[chosen]))
    measured = np.concatenate(errors, axis=1)
    aligned = measured[1] if pack.has_joints else None
    return HandErrors(names, pack.mirrored(), np.concatenate(confidence), measured[0], aligned)


def mean_errors(
    rows: Rows,
    joints_cam: Floats | None,  # [B, 21, 3] metres
    joints_px: Floats | None,  # [B, 21, 2]
) -> Floats:  # [2 or 1, B]
    """Return `errors` and, with the truth, `aligned` of some rows, from joints as they are in the photographs.

    Those before the camera are needed where the truth is known, else those in pixels.
    """
    if rows.joints_cam is None:
        assert joints_px is not None
        distances = relative_distances(_in_crops(rows, joints_px), rows.keypoints)
        known = np.isfinite(distances)
        sums = np.where(known, distances, 0.0).sum(axis=1)
        return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), np.nan)[None]
    assert joints_cam is not None
    truth = np.where(rows.mirrored[:, None, None], mirror_points_cam(rows.joints_cam), rows.joints_cam)
    scores = score_hands(joints_cam, truth)
    return 100.0 * np.stack([scores.root.joints.mean(axis=1), scores.aligned.joints.mean(axis=1)])


def _in_crops(rows: Rows, joints_px: Floats) -> Floats:
    """Turn pixels [B, 21, 2] of photographs into those of the pack's crops, mirrored as they are."""
    size = rows.images.shape[1]
    cut = np.stack([to_crop(xy, Box(*map(float, box)), size) for xy, box in zip(joints_px, rows.boxes, strict=True)])
    crops: Floats = np.where(rows.mirrored[:, None, None], mirror_points_px(cut, size), cut)
    return crops


def _array(column: Any, points: int) -> Floats:
    """Return a column of lists as [N, points, 2 or 3]."""
    flat: Floats = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), points, -1)
