"""The numbers of an evaluation: against the truth where it is known, else against the detections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import project
from s2hand.datasets.packs import Rows
from s2hand.pipeline.agreement import WITHIN_GRID, agreement, relative_distances
from s2hand.pipeline.baseline import constant_hand
from s2hand.train.metrics import THRESHOLDS, evaluate_pixels, pck_curve, score_hands, summarize

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Measured:
    """Metrics by who is measured (`network`, `constant`, `detector`), and the curves' columns by name.

    Curves are shares of joints within a `distance`: millimetres, or hand sizes where no truth is known.
    """

    metrics: Mapping[str, Mapping[str, float]]
    curves: Mapping[str, NDArray[np.float64]]


def measure_truth(
    rows: Rows,
    joints_cam: Floats,  # [N, 21, 3] metres
    vertices_cam: Floats,  # [N, 778, 3]
    joints_px: Floats,  # [N, 21, 2] pixels of the crop
) -> Measured:
    """Compare the network, the constant hand and the detector with the true hands of the pack's rows."""
    if rows.joints_cam is None:
        raise ValueError("rows.joints_cam: expected the true joints, found none; use measure_agreement")
    true_joints, true_vertices = rows.joints_cam, rows.vertices_cam
    true_px = project(true_joints, rows.K)
    scores = score_hands(true_joints=true_joints, pred_joints=joints_cam, **_vertices(vertices_cam, true_vertices))
    constant, constant_curves = _constant(rows, true_px)
    return Measured(
        {
            "network": {**summarize(scores), **evaluate_pixels(joints_px, true_px)},
            "constant": constant,
            "detector": _detector(rows.keypoints, true_px),
        },
        {
            "distance": 1000.0 * THRESHOLDS,
            "network": pck_curve(scores.root.joints, THRESHOLDS),
            "network_aligned": pck_curve(scores.aligned.joints, THRESHOLDS),
            **constant_curves,
        },
    )


def measure_agreement(
    rows: Rows,
    joints_cam: Floats,
    vertices_cam: Floats,
    joints_px: Floats,  # [N, 21, 2] pixels of the crop
) -> Measured:
    """Compare the network's and a constant hand's 2D joints with the detections; arguments as `measure_truth`.

    The constant hand is here the mean of the detected keypoints: no truth is known.
    """
    confidence = rows.keypoints[..., 2:]
    weighted = np.where(confidence > 0, rows.keypoints[..., :2], 0.0) * confidence
    mean = weighted.sum(axis=0) / np.maximum(confidence.sum(axis=0), 1e-6)
    who = {"network": joints_px, "constant": np.broadcast_to(mean, joints_px.shape)}
    relative = {name: relative_distances(points, rows.keypoints) for name, points in who.items()}
    return Measured(
        {name: agreement(points, rows.keypoints) for name, points in who.items()},
        {
            "distance": WITHIN_GRID,
            **{name: pck_curve(distances, WITHIN_GRID) for name, distances in relative.items()},
        },
    )


def _constant(rows: Rows, true_px: Floats) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    """Measure the best constant hand: the plain mean where nothing is aligned, the Procrustes mean where it is."""
    assert rows.joints_cam is not None
    hand, count = constant_hand(rows.joints_cam, rows.vertices_cam), len(true_px)
    plain_joints = _repeat(hand.joints_cam, count)
    plain = score_hands(plain_joints, rows.joints_cam, **_vertices(hand.vertices_cam, rows.vertices_cam))
    shape_joints = _repeat(hand.joints_shape, count)
    shape = score_hands(shape_joints, rows.joints_cam, **_vertices(hand.vertices_shape, rows.vertices_cam))
    aligned = {name: value for name, value in summarize(shape).items() if name.startswith("pa_")}
    pixels = evaluate_pixels(project(plain_joints, rows.K), true_px)
    curves = {
        "constant": pck_curve(plain.root.joints, THRESHOLDS),
        "constant_aligned": pck_curve(shape.aligned.joints, THRESHOLDS),
    }
    return {**summarize(plain), **aligned, **pixels}, curves


def _repeat(points: Floats, count: int) -> Floats:
    return np.broadcast_to(points, (count, *points.shape[-2:]))


def _vertices(predicted: Floats | None, true: Floats | None) -> dict[str, Floats]:
    """Return the arguments of `score_hands` for vertices: none where they are not known."""
    if predicted is None or true is None:
        return {}
    return {"pred_vertices": _repeat(predicted, len(true)), "true_vertices": true}


def _detector(keypoints: Floats, true_px: Floats) -> dict[str, float]:
    """Return the detector's mean 2D error over the joints that it found, and the share of joints that it found."""
    found = keypoints[..., 2] > 0
    if not found.any():
        return {"found": 0.0}
    distance = np.linalg.norm(keypoints[..., :2] - true_px, axis=2)
    return {"mpjpe_px": float(distance[found].mean()), "found": float(found.mean())}
