"""The constant hand is the best constant there is, for aligned and for unaligned errors."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from s2hand.pipeline.baseline import constant_hand, procrustes_mean
from s2hand.train.metrics import evaluate_hands


@pytest.fixture
def shape() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, (21, 3))


def test_the_procrustes_mean_of_turned_copies_is_the_shape_itself(shape: np.ndarray) -> None:
    turns = Rotation.random(30, rng=np.random.default_rng(1)).as_matrix()
    offsets = np.random.default_rng(2).normal(0, 1, (30, 1, 3))
    copies = shape @ turns + offsets
    mean = procrustes_mean(copies)
    scores = evaluate_hands(np.broadcast_to(mean, copies.shape), copies)
    assert scores["pa_mpjpe_cm"] < 1e-6
    assert np.linalg.norm(mean) == pytest.approx(np.linalg.norm(shape - shape.mean(axis=0)))


def test_the_procrustes_mean_beats_the_plain_mean_when_hands_turn(shape: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    turns = Rotation.random(60, rng=rng).as_matrix()
    hands = (shape + rng.normal(0, 0.01, (60, 21, 3))) @ turns + [0, 0, 0.6]
    constant = constant_hand(hands, None)
    plain = evaluate_hands(np.broadcast_to(constant.joints_cam, hands.shape), hands)
    best = evaluate_hands(np.broadcast_to(constant.joints_shape, hands.shape), hands)
    assert best["pa_mpjpe_cm"] < 0.7 * plain["pa_mpjpe_cm"]
    assert plain["mpjpe_cm"] < best["mpjpe_cm"]
    assert constant.vertices_cam is None


def test_the_plain_mean_is_the_best_constant_in_squares(shape: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    hands = shape + rng.normal(0, 0.02, (50, 21, 3))
    mean = constant_hand(hands, hands).joints_cam
    best = ((hands - mean) ** 2).sum()
    for _ in range(5):
        assert ((hands - mean - rng.normal(0, 0.001, (21, 3))) ** 2).sum() > best
