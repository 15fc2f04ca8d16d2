"""Peaks and confidences, against those of both published codes."""

import numpy as np
import pytest
import torch

from s2hand.detect import reference as twin
from s2hand.detect.heatmaps import make_merger
from s2hand.detect.peaks import Peaks, find_peaks
from s2hand.detect.pyramid import plan_level
from s2hand.detect.variants import SCALES, THRESHOLDS

CASES = ("clean", "mixed", "large", "shift", "noisy")


def _fast_peaks(average, smoothed, threshold):
    return find_peaks(torch.from_numpy(average), torch.from_numpy(smoothed), threshold)


FINDERS = pytest.mark.parametrize("finder", [_fast_peaks, twin.find_peaks])


def _fast(maps, levels):
    merger = make_merger(levels, torch.device("cpu"))
    tensors = [torch.from_numpy(one) for one in maps]
    return merger.average(tensors), merger.smooth(tensors), find_peaks


def _step_by_step(maps, levels):
    average = twin.merge_maps(maps, levels)
    return average, twin.smooth_maps(average), twin.find_peaks


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variant", sorted(THRESHOLDS))
@pytest.mark.parametrize("path", [_fast, _step_by_step])
def test_peaks_agree_with_the_original(case, variant, path, reference):
    height, width = reference[f"{case}_size"]
    levels = [plan_level(int(height), int(width), scale) for scale in SCALES]
    maps = [reference[f"{case}_maps{index}"].astype(np.float32) for index in range(len(SCALES))]
    average, smoothed, finder = path(maps, levels)
    peaks = finder(average, smoothed, THRESHOLDS[variant])
    # The original says (0, 0) where there is no component; we do not.
    ours = np.where(peaks.found[:, None], peaks.xy, 0)
    np.testing.assert_array_equal(ours, reference[f"{case}_{variant}_peaks"])
    if variant == "s2hand":  # the other code gives no confidences
        np.testing.assert_allclose(peaks.value, reference[f"{case}_s2hand_values"][:, 0], atol=1e-6)


def _maps(*rows: str):
    """One map from digits in tenths; the smoothed map is the same."""
    values = np.array([[int(digit) / 10 for digit in row] for row in rows], np.float32)[None]
    return values, values


@FINDERS
def test_the_largest_sum_wins_over_the_highest_value(finder):
    peaks = finder(*_maps("90000", "00233", "00233"), 0.1)
    assert peaks.xy.tolist() == [[3, 1]]
    assert peaks.value == pytest.approx([0.3])


@FINDERS
def test_of_equal_maxima_the_first_in_reading_order_is_taken(finder):
    assert finder(*_maps("00010", "00500", "05005", "00550"), 0.05).xy.tolist() == [[2, 1]]


@FINDERS
def test_of_equal_sums_the_first_component_is_taken(finder):
    assert finder(*_maps("00030", "30000"), 0.05).xy.tolist() == [[3, 0]]


@FINDERS
def test_corners_connect(finder):
    # Two pixels that touch at a corner outweigh one; by their edges alone they would not.
    assert finder(*_maps("20006", "03000", "00000", "00004"), 0.1).xy.tolist() == [[4, 0]]
    assert finder(*_maps("40005", "03000"), 0.1).xy.tolist() == [[0, 0]]


@FINDERS
def test_the_threshold_is_strict(finder):
    average, smoothed = _maps("0505")
    assert not finder(average, smoothed, float(smoothed[0, 0, 1])).found.any()
    assert finder(average, smoothed, float(smoothed[0, 0, 1]) - 1e-3).found.all()


@FINDERS
def test_without_a_component_there_is_no_peak(finder):
    peaks = finder(np.zeros((2, 3, 4), np.float32), np.full((2, 3, 4), -1, np.float32), 0.0)
    assert not peaks.found.any()
    assert peaks.value.tolist() == [0, 0]


@FINDERS
def test_a_component_of_negative_values_is_no_peak(finder):
    average = np.full((1, 3, 3), -0.2, np.float32)
    assert not finder(average, np.ones((1, 3, 3), np.float32), 0.0).found.any()


def test_random_maps_agree_with_the_twin():
    generator = np.random.default_rng(5)
    average = generator.standard_normal((40, 30, 23)).astype(np.float32)
    smoothed = twin.smooth_maps(average.astype(np.float64)).astype(np.float32)
    for threshold in (-0.01, 0.0, 0.02, 0.1):
        fast = _fast_peaks(average, smoothed, threshold)
        slow = twin.find_peaks(average.astype(np.float64), smoothed, np.float32(threshold))
        np.testing.assert_array_equal(fast.xy, slow.xy)
        np.testing.assert_array_equal(fast.value, slow.value)


def test_peaks_check_themselves():
    with pytest.raises(ValueError, match=r"xy: expected shape \(3, 2\), found \(2, 2\)"):
        Peaks(torch.zeros((2, 2), dtype=torch.int64), torch.zeros(3))
