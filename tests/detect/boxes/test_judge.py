import numpy as np
import pytest

from s2hand.datasets.cameras import mirror_image
from s2hand.detect.boxes.judge import LEAST_SCORE, MARGIN, Judge, Opinion, ask, fit_judge, square_around
from s2hand.detect.detection import Detection
from s2hand.detect.detector import HandDetector
from s2hand.detect.slim import INPUT_SIZE


def test_squares_keep_the_centre():
    square = square_around(np.array([50, 40, 20, 10], np.float32))
    assert square.w == square.h == pytest.approx(20 * MARGIN)
    assert (square.x + square.w / 2, square.y + square.h / 2) == pytest.approx((50, 40))


def opinion(*rows):  # each (as of a right hand, as of a left one, agreement)
    table = np.array(rows, float).reshape(-1, 3)
    return Opinion(table[:, :2], table[:, 2])


def test_the_likelihood_rises_with_score_and_opinion():
    judge = Judge(-2.0, 1.0, 3.0, 0.5, 0.5)
    said = opinion((0.3, 0.2, 0), (0.3, 0.2, 0), (0.1, 0.9, 0), (0.1, 0.9, 1))
    likely = judge(np.array([0.2, 0.8, 0.8, 0.8]), said)
    assert (np.diff(likely) > 0).all()
    assert likely[0] == pytest.approx(1 / (1 + np.exp(2 - np.log(0.2 / 0.8) - 0.9)))
    assert said.hands == ["right", "right", "left", "left"]
    assert judge(np.zeros(0), opinion()).shape == (0,)
    assert np.isfinite(judge(np.array([0.0, 1.0]), opinion((0, 0, 0), (0, 0, 0)))).all()


def test_below_the_least_score_no_opinion_helps():
    judge = Judge(-2.0, 2.0, 4.0, 1.0, 0.6)
    least = judge.least_score
    assert LEAST_SCORE < least < 0.5
    below, above = judge(np.array([least - 0.01, least + 0.01]), opinion((1, 1, 1), (1, 1, 1)))
    assert below < judge.threshold < above
    assert Judge(0.0, 0.0, 5.0, 0.0, 0.5).least_score == LEAST_SCORE


def test_a_judge_is_fitted_to_what_was_drawn():
    rng = np.random.default_rng(0)
    true = Judge(-2.5, 0.8, 4.0, 2.0, 0.5)
    scores, said = rng.uniform(0.05, 0.95, 20_000), opinion(*rng.uniform(0, 1, (20_000, 3)))
    fitted = fit_judge(scores, said, rng.random(20_000) < true(scores, said))
    assert fitted.bias == pytest.approx(true.bias, abs=0.25)
    assert fitted.finder == pytest.approx(true.finder, abs=0.1)
    assert fitted.sure == pytest.approx(true.sure, abs=0.3)
    assert fitted.agreement == pytest.approx(true.agreement, abs=0.2)


def test_judges_of_all_hits_or_none_stay_finite():
    scores, said = np.full(5, 0.5), opinion(*[(0.5, 0.4, 0.5)] * 5)
    for hits in (np.ones(5, bool), np.zeros(5, bool)):
        assert np.isfinite(fit_judge(scores, said, hits)(scores, said)).all()


class Fixed:
    """Finds the same joints in every crop: the corners of its middle half; surer of right hands."""

    def detect(self, images, hand):
        xy = np.full((21, 2), 0.25 * INPUT_SIZE, np.float32)
        xy[1:] = 0.75 * INPUT_SIZE
        xy[2] = np.nan
        confidence = np.full(21, 0.8 if hand == "right" else 0.6, np.float32)
        return [Detection(xy, np.where(np.isfinite(xy[:, 0]), confidence, 0).astype(np.float32)) for _ in images]


def test_agreement_is_the_overlap_with_the_box_of_the_joints():
    box = np.array([50, 40, 20, 10], np.float32)
    said = ask(Fixed(), np.zeros((80, 100, 3), np.uint8), box[None])
    side = 20 * MARGIN / 2
    np.testing.assert_allclose(said.sure, [[0.8 * 20 / 21, 0.6 * 20 / 21]], rtol=1e-5)
    shared = min(side, 20) * min(side, 10)
    assert said.agreement[0] == pytest.approx(shared / (side**2 + 200 - shared))


def test_opinions_change_sides_with_the_mirror():
    detector = HandDetector.load("slim")
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (INPUT_SIZE // 4, INPUT_SIZE // 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    said = ask(detector, image, np.array([[100, 120, 60, 80]], np.float32))
    mirrored = ask(detector, mirror_image(image), np.array([[256 - 100, 120, 60, 80]], np.float32))
    assert said.sure.shape == (1, 2)
    assert said.sure[0, 0] != said.sure[0, 1]
    np.testing.assert_allclose(mirrored.sure[:, ::-1], said.sure, atol=0.02)
    assert len(ask(detector, image, np.zeros((0, 4)))) == 0
