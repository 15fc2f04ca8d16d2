"""The tables of curves: each error in its row, whatever is unknown in none."""

from dataclasses import replace

import numpy as np
import pytest

from s2hand.datasets.packs import Annotations
from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.pipeline.curves import error_by_confidence, error_per_joint
from s2hand.pipeline.measure import Measured, measure_agreement, measure_truth
from s2hand.train.metrics import THRESHOLDS, area_under


def test_each_joint_has_the_mean_over_the_hands_that_know_it() -> None:
    errors = np.arange(42.0).reshape(2, 21)
    errors[0, 3] = np.nan
    errors[:, 4] = np.nan
    table = error_per_joint({"network": errors})
    assert table["joint"].tolist() == list(JOINT_NAMES)
    assert table["network"][:4].tolist() == [10.5, 11.5, 12.5, 24.0]
    assert np.isnan(table["network"][4])


def test_each_bin_has_the_joints_of_its_confidence() -> None:
    confidence = np.zeros((1, 21))
    confidence[0, :6] = (0.05, 0.1, 0.11, 0.95, 1.0, 1.0)
    errors = np.full((1, 21), 1000.0)
    errors[0, :6] = (1.0, 3.0, 5.0, 7.0, np.nan, 9.0)
    table = error_by_confidence(confidence, {"network": errors})
    assert table["confidence"] == pytest.approx(np.arange(0.05, 1.0, 0.1))
    assert table["joints"].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert table["network"][[0, 1, 9]].tolist() == [2.0, 5.0, 8.0]
    assert np.isnan(table["network"][2:9]).all()


def two_hands(truth: bool) -> Annotations:
    """Hands half a metre away; the detector is 3 px off, surest of the wrists, and misses one joint of the second."""
    joints = np.random.default_rng(0).normal((0, 0, 0.5), 0.03, (2, 21, 3)).astype(np.float32)
    camera = np.array([[200.0, 0, 50], [0, 200, 50], [0, 0, 1]], np.float32)
    keypoints = np.full((2, 21, 3), 0.35, np.float32)
    keypoints[..., :2] = joints[..., :2] / joints[..., 2:] * 200 + 50 + [3.0, 0.0]
    keypoints[:, 0, 2] = 0.95
    keypoints[1, 5] = (np.nan, np.nan, 0.0)
    return Annotations(
        size=100,
        K=np.stack([camera, camera]),
        keypoints=keypoints,
        mirrored=np.zeros(2, bool),
        boxes=np.zeros((2, 4), np.float32),
        joints_cam=joints if truth else None,
        vertices_cam=None,
    )


def measured(truth: bool) -> Measured:
    """A network that has the wrist 4 px away from the detection, all else on it, and the true hands 1 cm nearer."""
    joints_cam = two_hands(truth=True).joints_cam
    assert joints_cam is not None
    hands = two_hands(truth)
    joints_px = np.nan_to_num(hands.keypoints[..., :2])
    joints_px[:, 0] += (0.0, 4.0)
    moved = joints_cam.copy()
    moved[:, 1:, 2] -= 0.01
    if truth:
        return measure_truth(hands, moved, np.zeros((2, 778, 3), np.float32), joints_px)
    return measure_agreement(hands, joints_px)


def test_with_truth_joints_are_in_centimetres_from_the_wrist_and_pixels_from_the_true_joint() -> None:
    found = measured(truth=True)
    assert found.per_joint["network"] == pytest.approx([0.0] + [1.0] * 20, abs=1e-5)
    assert set(found.per_joint) == {"joint", "network", "network_aligned", "constant", "constant_aligned"}
    assert found.confidence["joints"].tolist() == [0, 0, 0, 39, 0, 0, 0, 0, 0, 2]
    assert found.confidence["detector"][[3, 9]] == pytest.approx([3.0, 3.0], abs=1e-4)
    assert found.confidence["network"][[3, 9]] == pytest.approx([3.0, 5.0], abs=1e-4)


def test_without_truth_both_are_distances_to_the_detections() -> None:
    found = measured(truth=False)
    assert found.per_joint["network_px"] == pytest.approx([4.0] + [0.0] * 20, abs=1e-4)
    assert 0 < found.per_joint["network"][0] < 0.2
    assert found.confidence["network"][[3, 9]] == pytest.approx([0.0, 4.0], abs=1e-4)
    assert np.isnan(found.confidence["detector"]).all()
    assert set(found.confidence) == {"confidence", "network", "constant", "detector", "joints"}


def test_the_areas_under_the_curves_of_joints_and_vertices_are_those_of_the_metrics() -> None:
    noise = np.random.default_rng(1)
    truth = noise.normal((0, 0, 0.5), 0.03, (2, 778, 3)).astype(np.float32)
    hands = replace(two_hands(truth=True), vertices_cam=truth)
    predicted = truth + noise.normal(0, 0.01, truth.shape)
    found = measure_truth(hands, predicted[:, :21], predicted, np.nan_to_num(hands.keypoints[..., :2]))
    for who in ("network", "constant"):
        for kind, metric in (("", "j"), ("_vertices", "v")):
            for suffix, prefix in (("", "root_"), ("_aligned", "pa_")):
                area = area_under(found.curves[f"{who}{kind}{suffix}"], THRESHOLDS)
                assert area == pytest.approx(found.metrics[who][f"{prefix}auc_{metric}"])
