"""The 2D agreement counts what was detected and nothing else."""

import numpy as np
import pytest

from s2hand.pipeline.agreement import agreement


def keypoints(confidence: float) -> np.ndarray:
    xy = np.stack(np.meshgrid(np.arange(7.0) * 10, np.arange(3.0) * 10), axis=-1).reshape(21, 2)
    return np.concatenate([xy, np.full((21, 1), confidence)], axis=1)[None]


def test_a_shift_is_measured_in_pixels_and_hand_sizes() -> None:
    found = keypoints(0.9)
    result = agreement(found[..., :2] + [6.0, 0.0], found)
    assert result["agreement_px"] == pytest.approx(6.0)
    assert result["agreement_of_box"] == pytest.approx(0.1)  # the box is 60 px wide
    assert result["within_0.2"] == 1.0


def test_joints_that_were_not_found_do_not_count() -> None:
    found = keypoints(0.9)
    points = found[..., :2].copy()
    points[0, 5] += 1000
    found[0, 5] = (np.nan, np.nan, 0)
    assert agreement(points, found)["agreement_px"] == 0.0


def test_distrusted_joints_do_not_count_either() -> None:
    found = keypoints(0.9)
    points = found[..., :2].copy()
    points[0, 5] += 1000
    found[0, 5, 2] = 0.1
    assert agreement(points, found)["within_0.1"] == 1.0


def test_nothing_trusted_is_an_error() -> None:
    found = keypoints(0.05)
    with pytest.raises(ValueError, match="expected at least one hand"):
        agreement(found[..., :2], found)
