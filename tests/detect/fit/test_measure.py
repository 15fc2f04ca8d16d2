import numpy as np

from s2hand.detect.fit.measure import Measured, calibrate, hand_sizes, summarize


def measured(count: int = 4000) -> Measured:
    """Joints whose errors fall as their beliefs rise."""
    rng = np.random.default_rng(0)
    beliefs = rng.uniform(0, 1, count)
    errors = np.where(rng.uniform(0, 1, count) < beliefs**2, 0.05, 0.5)
    return Measured(errors.astype(np.float32), beliefs.astype(np.float32))


def test_confidence_is_the_share_of_joints_that_are_near():
    confidence = calibrate(measured())
    asked = np.array([0.3, 0.5, 0.9])
    np.testing.assert_allclose(confidence(asked), asked**2, atol=0.08)
    assert confidence(np.array([0.0]))[0] == 0


def test_confidence_rises_even_where_the_measured_share_does_not():
    noisy = Measured(*(np.asarray(a, np.float32) for a in ([0.05, 0.5] * 50, np.linspace(0.2, 0.9, 100))))
    confidence = calibrate(noisy)
    assert (np.diff(confidence(np.linspace(0, 1, 50))) >= 0).all()


def test_errors_are_in_units_of_the_longer_side_of_the_box():
    points = np.zeros((1, 21, 2))
    points[0, 1], points[0, 2] = (10, 40), (np.nan, np.nan)
    assert hand_sizes(points).tolist() == [40]


def test_summary_of_known_errors():
    errors = np.array([0.01, 0.06, 0.15, 0.3])
    summary = summarize(errors, np.array([0.9, 0.8, 0.2, 0.1]))
    assert summary["within_0.05"] == 0.25
    assert summary["within_0.1"] == 0.5
    assert summary["within_0.2"] == 0.75
    assert summary["mean_quarter_1"] == 0.01
    assert summary["mean_quarter_4"] == 0.3
