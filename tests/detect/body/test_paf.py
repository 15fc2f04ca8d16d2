"""Scores of limbs, against the published steps one by one; the greedy choice."""

import numpy as np
import pytest
import torch

from s2hand.detect.body import paf, reference
from s2hand.detect.body.maps import Enlarged, Peaks, enlarge
from s2hand.detect.body.paf import connect, limb_scores, match
from s2hand.detect.pyramid import plan_level
from s2hand.detect.reference import merge_maps


@pytest.fixture
def fields():
    """Fields that point to the right and down, with noise: maps, levels, the same at the image's size."""
    levels = [plan_level(90, 170, 0.5), plan_level(90, 170, 0.8)]
    generator = torch.Generator().manual_seed(1)
    maps = [torch.rand((38, *level.cells), generator=generator) * 1.2 - 0.2 for level in levels]
    return maps, levels, merge_maps([one.numpy() for one in maps], levels)


def test_scores_agree_with_the_published_steps(fields):
    maps, levels, whole = fields
    generator = np.random.default_rng(5)
    start, end = (generator.integers((0, 0), (170, 90), (300, 2)) for _ in range(2))
    start[0] = end[0]
    scores = limb_scores(start, end, enlarge(maps, levels), 6)
    expected = [reference.limb_score(tuple(a), tuple(b), whole[6:8]) for a, b in zip(start, end, strict=True)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert 30 < np.count_nonzero(scores) < 270
    assert scores[0] == 0


def _one_field(length, gap=0, height=200):
    """A field of a level limb from (20, 100) on, with its last `gap` of ten samples missing, as ten points see it."""
    columns = np.zeros((38, 400, 1))
    columns[12, 20 : 21 + length - round(gap * length / 9)] = 1.0
    start, end = np.array([[20, 100]]), np.array([[20 + length, 100]])
    return float(limb_scores(start, end, Enlarged(np.ones((height, 1)), columns), 12)[0])


def test_nine_of_ten_points_are_needed():
    assert _one_field(90) == pytest.approx(1.0)
    assert _one_field(90, gap=1) == pytest.approx(0.9)
    assert _one_field(90, gap=2) == 0


def test_a_line_longer_than_half_the_height_counts_less():
    assert _one_field(100) == pytest.approx(1.0)
    assert _one_field(200) == pytest.approx(1.0 + 100 / 200 - 1)


def test_the_best_pairs_are_taken_first_and_each_peak_once():
    start, end = np.array([0, 0, 1, 1, 2]), np.array([5, 6, 5, 6, 7])
    taken = match(start, end, np.array([0.5, 0.9, 0.8, 0.95, 0.0]))
    assert list(zip(taken.start, taken.end, taken.score, strict=True)) == [(1, 6, 0.95), (0, 5, 0.5)]


def test_pairs_in_portions_give_the_same(fields, monkeypatch):
    maps, levels, _ = fields
    generator = np.random.default_rng(2)
    part = np.sort(generator.integers(0, 18, 120))
    peaks = Peaks(part, generator.integers((0, 0), (170, 90), (120, 2)), generator.random(120))
    whole = connect(peaks, enlarge(maps, levels))
    monkeypatch.setattr(paf, "PAIRS_AT_A_TIME", 3)
    portions = connect(peaks, enlarge(maps, levels))
    assert sum(len(one.start) for one in whole) > 20
    for one, other in zip(whole, portions, strict=True):
        np.testing.assert_array_equal(one.start, other.start)
        np.testing.assert_array_equal(one.end, other.end)
        np.testing.assert_allclose(one.score, other.score)
