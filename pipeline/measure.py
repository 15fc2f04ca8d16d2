"""The numbers of an evaluation: against the truth where it is known, else against the detections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import project
from s2hand.datasets.packs import Annotations
from s2hand.pipeline.agreement import WITHIN_GRID, agreement, pixel_distances, relative_distances
from s2hand.pipeline.baseline import constant_hand
from s2hand.pipeline.curves import Columns, error_by_confidence, error_per_joint
from s2hand.train.metrics import (
    THRESHOLDS,
    Errors,
    evaluate_pixels,
    pck_curve,
    pixel_errors,
    score_hands,
    summarize,
)

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Measured:
    """Metrics by who is measured (`network`, `constant`, `detector`), and tables of curves, a column for each.

    `curves` are shares of joints, and of vertices where true ones are known, within a `distance`: millimetres, or hand
    sizes where no truth is known. `per_joint` are mean errors by joint: cm, or hand sizes (`_px`: pixels).
    `confidence` are mean errors in pixels of the crop by the detection's confidence: distances to the true joints, or
    to the detections.
    """

    metrics: Mapping[str, Mapping[str, float]]
    curves: Columns
    per_joint: Columns
    confidence: Columns


@dataclass(frozen=True)
class _Scored:
    """The metrics of N hands, their curves by what is added to a name, and the errors of the joints behind them."""

    metrics: Mapping[str, float]
    curves: Columns
    root: NDArray[np.float64]  # [N, 21] metres, relative to the wrist
    aligned: NDArray[np.float64]  # [N, 21] metres, after Procrustes alignment
    pixels: NDArray[np.float64]  # [N, 21]


def measure_truth(
    annotations: Annotations,
    joints_cam: Floats,  # [N, 21, 3] metres
    vertices_cam: Floats,  # [N, 778, 3]
    joints_px: Floats,  # [N, 21, 2] pixels of the crop
) -> Measured:
    """Compare the network, the constant hand and the detector with the true hands of the annotations."""
    if annotations.joints_cam is None:
        raise ValueError("annotations.joints_cam: expected the true joints, found none; use measure_agreement")
    true_px = project(annotations.joints_cam, annotations.K)
    scored = {
        "network": _network(annotations, joints_cam, vertices_cam, joints_px, true_px),
        "constant": _constant(annotations, true_px),
    }
    metrics = {name: who.metrics for name, who in scored.items()}
    errors: dict[str, NDArray[np.float64]] = {}
    for name, who in scored.items():
        errors |= {name: who.root, f"{name}_aligned": who.aligned}
    pixels = {name: who.pixels for name, who in scored.items()}
    pixels["detector"] = np.linalg.norm(annotations.keypoints[..., :2] - true_px, axis=2)
    return Measured(
        metrics={**metrics, "detector": _detector(annotations.keypoints, pixels["detector"])},
        curves={
            "distance": 1000.0 * THRESHOLDS,
            **{f"{name}{kind}": shares for name, who in scored.items() for kind, shares in who.curves.items()},
        },
        per_joint=error_per_joint({name: 100.0 * values for name, values in errors.items()}),
        confidence=error_by_confidence(annotations.keypoints[..., 2], pixels),
    )


def measure_agreement(
    annotations: Annotations,
    joints_px: Floats,  # [N, 21, 2] pixels of the crop
) -> Measured:
    """Compare the network's and a constant hand's 2D joints with the detections.

    The constant hand is here the mean of the detected keypoints: no truth is known.
    """
    confidence = annotations.keypoints[..., 2:]
    weighted = np.where(confidence > 0, annotations.keypoints[..., :2], 0.0) * confidence
    mean = weighted.sum(axis=0) / np.maximum(confidence.sum(axis=0), 1e-6)
    who = {"network": joints_px, "constant": np.broadcast_to(mean, joints_px.shape)}
    relative = {name: relative_distances(points, annotations.keypoints) for name, points in who.items()}
    trusted_px = {f"{name}_px": pixel_distances(points, annotations.keypoints) for name, points in who.items()}
    pixels = {name: pixel_errors(points, annotations.keypoints[..., :2]) for name, points in who.items()}
    pixels["detector"] = np.full_like(pixels["network"], np.nan)  # without truth nobody knows
    return Measured(
        metrics={name: agreement(points, annotations.keypoints) for name, points in who.items()},
        curves={
            "distance": WITHIN_GRID,
            **{name: pck_curve(distances, WITHIN_GRID) for name, distances in relative.items()},
        },
        per_joint=error_per_joint({**relative, **trusted_px}),
        confidence=error_by_confidence(annotations.keypoints[..., 2], pixels),
    )


def _network(
    annotations: Annotations, joints_cam: Floats, vertices_cam: Floats, joints_px: Floats, true_px: Floats
) -> _Scored:
    assert annotations.joints_cam is not None
    scores = score_hands(joints_cam, annotations.joints_cam, **_vertices(vertices_cam, annotations.vertices_cam))
    metrics = {**summarize(scores), **evaluate_pixels(joints_px, true_px)}
    curves = _curves(scores.root, scores.aligned)
    return _Scored(metrics, curves, scores.root.joints, scores.aligned.joints, pixel_errors(joints_px, true_px))


def _constant(annotations: Annotations, true_px: Floats) -> _Scored:
    """Measure the best constant hand: the plain mean where nothing is aligned, the Procrustes mean where it is."""
    assert annotations.joints_cam is not None
    hand, count = constant_hand(annotations.joints_cam, annotations.vertices_cam), len(true_px)
    plain_joints = _repeat(hand.joints_cam, count)
    plain = score_hands(plain_joints, annotations.joints_cam, **_vertices(hand.vertices_cam, annotations.vertices_cam))
    shape_joints = _repeat(hand.joints_shape, count)
    shape = score_hands(
        shape_joints, annotations.joints_cam, **_vertices(hand.vertices_shape, annotations.vertices_cam)
    )
    aligned = {name: value for name, value in summarize(shape).items() if name.startswith("pa_")}
    joints_px = project(plain_joints, annotations.K)
    metrics = {**summarize(plain), **aligned, **evaluate_pixels(joints_px, true_px)}
    curves = _curves(plain.root, shape.aligned)
    return _Scored(metrics, curves, plain.root.joints, shape.aligned.joints, pixel_errors(joints_px, true_px))


def _curves(root: Errors, aligned: Errors) -> Columns:
    """Return the share of joints, and of vertices if there are any, within each threshold; 100 numbers each."""
    errors = {
        "": root.joints,
        "_aligned": aligned.joints,
        "_vertices": root.vertices,
        "_vertices_aligned": aligned.vertices,
    }
    return {kind: pck_curve(values, THRESHOLDS) for kind, values in errors.items() if values is not None}


def _repeat(points: Floats, count: int) -> Floats:
    return np.broadcast_to(points, (count, *points.shape[-2:]))


def _vertices(predicted: Floats | None, true: Floats | None) -> dict[str, Any]:
    """Return the arguments of `score_hands` for vertices: none where they are not known."""
    if predicted is None or true is None:
        return {}
    return {"pred_vertices": _repeat(predicted, len(true)), "true_vertices": true}


def _detector(keypoints: Floats, errors_px: Floats) -> dict[str, float]:
    """Return the detector's mean 2D error over the joints that it found, and the share of joints that it found."""
    found = keypoints[..., 2] > 0
    if not found.any():
        return {"found": 0.0}
    return {"mpjpe_px": float(errors_px[found].mean()), "found": float(found.mean())}
