import numpy as np
import pytest

from s2hand.datasets.cameras import mirror_image
from s2hand.detect.boxes.judge import MARGIN, Judge, beliefs, fit_judge, square_around
from s2hand.detect.detector import HandDetector
from s2hand.detect.slim import INPUT_SIZE


def test_squares_keep_the_centre():
    square = square_around(np.array([50, 40, 20, 10], np.float32))
    assert square.w == square.h == pytest.approx(20 * MARGIN)
    assert (square.x + square.w / 2, square.y + square.h / 2) == pytest.approx((50, 40))


def test_the_likelihood_rises_with_score_and_belief():
    judge = Judge(-2.0, 1.0, 3.0, 0.5)
    likely = judge(np.array([0.2, 0.8, 0.8]), np.array([[0.3, 0.2], [0.3, 0.2], [0.1, 0.9]]))
    assert (np.diff(likely) > 0).all()
    assert likely[0] == pytest.approx(1 / (1 + np.exp(2 - np.log(0.2 / 0.8) - 0.9)))
    assert judge(np.zeros(0), np.zeros((0, 2))).shape == (0,)
    assert np.isfinite(judge(np.array([0.0, 1.0]), np.zeros((2, 2)))).all()


def test_a_judge_is_fitted_to_what_was_drawn():
    rng = np.random.default_rng(0)
    true = Judge(-1.5, 0.8, 4.0, 0.5)
    scores, sure = rng.uniform(0.05, 0.95, 20_000), rng.uniform(0, 1, (20_000, 2))
    hits = rng.random(20_000) < true(scores, sure)
    fitted = fit_judge(scores, sure, hits)
    assert fitted.bias == pytest.approx(true.bias, abs=0.2)
    assert fitted.finder == pytest.approx(true.finder, abs=0.1)
    assert fitted.keypoints == pytest.approx(true.keypoints, abs=0.3)


def test_judges_of_all_hits_or_none_stay_finite():
    scores, sure = np.full(5, 0.5), np.full((5, 2), 0.5)
    for hits in (np.ones(5, bool), np.zeros(5, bool)):
        assert np.isfinite(fit_judge(scores, sure, hits)(scores, sure)).all()


def test_beliefs_change_sides_with_the_mirror():
    detector = HandDetector.load("slim")
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (INPUT_SIZE // 4, INPUT_SIZE // 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    box = np.array([[100, 120, 60, 80]], np.float32)
    mirrored = np.array([[256 - 100, 120, 60, 80]], np.float32)
    sure = beliefs(detector, image, box)
    assert sure.shape == (1, 2)
    assert sure[0, 0] != sure[0, 1]
    np.testing.assert_allclose(beliefs(detector, mirror_image(image), mirrored)[:, ::-1], sure, atol=0.02)
    assert beliefs(detector, image, np.zeros((0, 4))).shape == (0, 2)
