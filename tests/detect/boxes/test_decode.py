import numpy as np
import pytest
import torch

from s2hand.detect.boxes.decode import Found, are_same, in_order, join, merge, overlaps, peaks
from s2hand.detect.boxes.network import STRIDE


def make_maps(*hands, height=6, width=9):  # each (side, row, column, score, dx, dy, w, h)
    maps = torch.zeros(2, 5, height, width)
    maps[:, 0] = -10
    for side, row, column, score, dx, dy, w, h in hands:
        maps[side, 0, row, column] = torch.logit(torch.tensor(score))
        maps[side, 1:, row, column] = torch.tensor([dx, dy, np.log(w), np.log(h)])
    return maps


def found(*rows):  # each (x, y, w, h, side, score)
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Found(table[:, :4], table[:, 4].astype(np.int64), table[:, 5])


def test_a_peak_is_read_exactly():
    one = peaks(make_maps((1, 2, 3, 0.8, 0.25, -0.5, 2.0, 3.0)), 0.3, 5)
    np.testing.assert_allclose(one.boxes, [[(3.5 + 0.25) * STRIDE, (2.5 - 0.5) * STRIDE, 16, 24]], rtol=1e-5)
    assert one.sides.tolist() == [1]
    assert one.scores[0] == pytest.approx(0.8, abs=1e-5)


def test_neighbours_of_a_peak_are_none_and_the_best_come_first():
    maps = make_maps((0, 1, 1, 0.5, 0, 0, 1, 1), (0, 1, 2, 0.4, 0, 0, 1, 1), (0, 4, 7, 0.9, 0, 0, 1, 1))
    several = peaks(maps, 0.3, 5)
    assert several.scores.tolist() == pytest.approx([0.9, 0.5], abs=1e-5)
    assert peaks(maps, 0.3, 1).scores.tolist() == pytest.approx([0.9], abs=1e-5)
    assert len(peaks(maps, 0.95, 5)) == 0


def test_equal_scores_go_from_the_top_down_and_from_left_to_right():
    rows = [(50, 10, 4, 4, 0, 0.5), (10, 30, 4, 4, 0, 0.5), (10, 10, 4, 4, 1, 0.5), (10, 10, 4, 4, 0, 0.5)]
    ordered = in_order(found(*rows))
    assert ordered.boxes[:, :2].tolist() == [[10, 10], [10, 10], [50, 10], [10, 30]]
    assert ordered.sides[:2].tolist() == [0, 1]


def test_overlap_of_boxes():
    a = np.array([[10, 10, 10, 10], [100, 100, 5, 5]], float)
    b = np.array([[15, 10, 10, 10]], float)
    np.testing.assert_allclose(overlaps(a, b), [[50 / 150], [0]])


def test_a_hand_of_unsure_side_is_found_once_with_both_scores():
    merged = merge(found((50, 50, 20, 20, 0, 0.5), (51, 50, 20, 20, 1, 0.4), (200, 50, 20, 20, 1, 0.45)))
    assert merged.sides.tolist() == [0, 1]
    assert merged.scores.tolist() == pytest.approx([1 - 0.5 * 0.6, 0.45])


def test_a_second_box_of_the_same_side_adds_nothing():
    merged = merge(found((50, 50, 20, 20, 0, 0.5), (52, 50, 20, 20, 0, 0.4)))
    assert merged.scores.tolist() == pytest.approx([0.5])


def test_hands_side_by_side_and_hands_of_other_sizes_stay_apart():
    touching = found((50, 50, 20, 20, 0, 0.6), (68, 50, 20, 20, 1, 0.5))
    assert len(merge(touching)) == 2
    small_before_large = np.array([[50, 50, 20, 20], [50, 50, 60, 60]], np.float32)
    assert not are_same(small_before_large)[0, 1]
    alike = np.array([[50, 50, 20, 60], [54, 50, 60, 20]], np.float32)  # same centre, upright and lying
    assert are_same(alike)[0, 1]


def test_nothing_found_is_an_answer():
    nothing = peaks(make_maps(), 0.3, 5)
    assert len(merge(join([nothing, nothing]))) == 0
