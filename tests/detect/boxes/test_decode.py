import numpy as np
import pytest
import torch

from s2hand.detect.boxes.decode import Found, are_same, join, merge, overlaps, peaks, ranking
from s2hand.detect.boxes.network import STRIDE


def make_maps(*hands, height=6, width=9):  # each (row, column, score, dx, dy, w, h)
    maps = torch.zeros(5, height, width)
    maps[0] = -10
    for row, column, score, dx, dy, w, h in hands:
        maps[0, row, column] = torch.logit(torch.tensor(score))
        maps[1:, row, column] = torch.tensor([dx, dy, np.log(w), np.log(h)])
    return maps


def found(*rows):  # each (x, y, w, h, score)
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Found(table[:, :4], table[:, 4])


def test_a_peak_is_read_exactly():
    one = peaks(make_maps((2, 3, 0.8, 0.25, -0.5, 2.0, 3.0)), 0.3, 5)
    np.testing.assert_allclose(one.boxes, [[(3.5 + 0.25) * STRIDE, (2.5 - 0.5) * STRIDE, 16, 24]], rtol=1e-5)
    assert one.scores[0] == pytest.approx(0.8, abs=1e-5)


def test_neighbours_of_a_peak_are_none_and_the_best_come_first():
    maps = make_maps((1, 1, 0.5, 0, 0, 1, 1), (1, 2, 0.4, 0, 0, 1, 1), (4, 7, 0.9, 0, 0, 1, 1))
    assert sorted(peaks(maps, 0.3, 5).scores.tolist()) == pytest.approx([0.5, 0.9], abs=1e-5)
    assert peaks(maps, 0.3, 1).scores.tolist() == pytest.approx([0.9], abs=1e-5)
    assert len(peaks(maps, 0.95, 5)) == 0


def test_equal_scores_go_from_the_top_down_and_from_left_to_right():
    rows = [(50, 10, 4, 4, 0.5), (10, 30, 4, 4, 0.5), (10, 10, 4, 4, 0.5), (90, 90, 4, 4, 0.6)]
    assert ranking(found(*rows)).tolist() == [3, 2, 0, 1]


def test_overlap_of_boxes():
    a = np.array([[10, 10, 10, 10], [100, 100, 5, 5]], float)
    b = np.array([[15, 10, 10, 10]], float)
    np.testing.assert_allclose(overlaps(a, b), [[50 / 150], [0]])


def test_of_boxes_of_one_hand_the_best_is_kept():
    merged = merge(found((52, 50, 20, 20, 0.4), (50, 50, 20, 20, 0.5), (200, 50, 20, 20, 0.45)))
    assert merged.boxes[:, 0].tolist() == [50, 200]
    assert merged.scores.tolist() == pytest.approx([0.5, 0.45])


def test_what_was_dropped_drops_nothing():
    row = merge(found((50, 50, 20, 20, 0.9), (57, 50, 20, 20, 0.8), (64, 50, 20, 20, 0.7)))
    assert row.boxes[:, 0].tolist() == [50, 64]


def test_hands_side_by_side_and_hands_of_other_sizes_stay_apart():
    touching = found((50, 50, 20, 20, 0.6), (68, 50, 20, 20, 0.5))
    assert len(merge(touching)) == 2
    small_before_large = np.array([[50, 50, 20, 20], [50, 50, 60, 60]], np.float32)
    assert not are_same(small_before_large)[0, 1]
    alike = np.array([[50, 50, 20, 60], [54, 50, 60, 20]], np.float32)  # same centre, upright and lying
    assert are_same(alike)[0, 1]


def test_nothing_found_is_an_answer():
    nothing = peaks(make_maps(), 0.3, 5)
    assert len(merge(join([nothing, nothing]))) == 0
