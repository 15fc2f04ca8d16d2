"""The numbers of predicted hands by our names; the challenges call them by theirs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.records import Record
from s2hand.train.metrics import THRESHOLDS, align_scale_translation, area_under, pck_curve, score_hands, summarize

Floats = NDArray[np.float64]

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "mpjpe_cm": "joint error (cm)",
        "auc_j": "AUC of joints",
        "root_mpjpe_cm": "joint error, root-relative (cm)",
        "root_auc_j": "AUC of joints, root-relative",
        "scale_trans_mpjpe_cm": "joint error, scale-translation (cm)",
        "scale_trans_auc_j": "AUC of joints, scale-translation",
        "pa_mpjpe_cm": "joint error, Procrustes (cm)",
        "pa_auc_j": "AUC of joints, Procrustes",
        "mpvpe_cm": "vertex error (cm)",
        "auc_v": "AUC of vertices",
        "root_mpvpe_cm": "vertex error, root-relative (cm)",
        "root_auc_v": "AUC of vertices, root-relative",
        "pa_mpvpe_cm": "vertex error, Procrustes (cm)",
        "pa_auc_v": "AUC of vertices, Procrustes",
        "f5": "F-score at 5 mm",
        "pa_f5": "F-score at 5 mm, Procrustes",
        "f15": "F-score at 15 mm",
        "pa_f15": "F-score at 15 mm, Procrustes",
    }
)


@dataclass(frozen=True, eq=False)
class HandSet:
    """N hands in our joint order and camera axes, metres."""

    joints: Floats  # [N, 21, 3]
    vertices: Floats | None = None  # [N, 778, 3]


def read_truth(records: Sequence[Record]) -> HandSet | None:
    """Collect the true hands of all records: none where a joint is unknown, no vertices where one is."""
    joints, vertices = np.empty((len(records), 21, 3)), np.empty((len(records), 778, 3))
    meshes = True
    for position, record in enumerate(records):
        if record.joints_cam is None:
            return None
        joints[position] = record.joints_cam
        if record.vertices_cam is None:
            meshes = False
        else:
            vertices[position] = record.vertices_cam
    return HandSet(joints, vertices if meshes else None)


def measure(predicted: HandSet, true: HandSet, progress: Callable[[int, int], None] | None = None) -> dict[str, float]:
    """Return the numbers of `TITLES`; those of vertices only where both sets have some.

    `progress` is told how many hands of how many are compared. Raises ValueError for shapes that don't fit.
    """
    vertices = None if true.vertices is None else predicted.vertices
    true_vertices = None if predicted.vertices is None else true.vertices
    scores = score_hands(predicted.joints, true.joints, vertices, true_vertices, progress)
    moved = align_scale_translation(predicted.joints, true.joints)
    errors = np.linalg.norm(moved - true.joints, axis=2)
    found = {
        **summarize(scores),
        "scale_trans_mpjpe_cm": 100.0 * float(errors.mean()),
        "scale_trans_auc_j": area_under(pck_curve(errors, THRESHOLDS), THRESHOLDS),
    }
    return {key: found[key] for key in TITLES if key in found}
