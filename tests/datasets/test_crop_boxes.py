import numpy as np

from s2hand.datasets.cameras import Box
from s2hand.datasets.crop_boxes import around_keypoints, crop_square, widened_square


def keypoints(*points: tuple[float, float, float]) -> np.ndarray:
    rows = np.full((21, 3), (np.nan, np.nan, 0), np.float32)
    for row, point in zip(rows, points, strict=False):
        row[:] = point
    return rows


def test_a_widened_square_keeps_the_centre() -> None:
    assert widened_square(Box(10, 20, 40, 10), 2.0) == Box(-10, -15, 80, 80)
    assert widened_square(Box(0, 0, 30, 30), 1.0) == Box(0, 0, 30, 30)


def test_what_is_cut_around() -> None:
    looked_at, known = Box(0, 0, 100, 100), Box(40, 40, 20, 10)
    seen = keypoints((10, 10, 0.9), (30, 50, 0.5))
    assert crop_square(looked_at, seen, "square", 1.0, known) == looked_at
    assert crop_square(looked_at, seen, "keypoints", 2.0) == Box(-20, -10, 80, 80)
    assert crop_square(looked_at, seen, "keypoints", 1.0, known) == Box(40, 35, 20, 20)
    assert crop_square(looked_at, keypoints(), "keypoints", 1.0) == looked_at


def test_only_trusted_keypoints_count() -> None:
    assert around_keypoints(keypoints((10, 10, 0.9), (30, 50, 0.5), (200, 5, 0.1))) == Box(10, 10, 20, 40)


def test_where_none_is_trusted_all_count() -> None:
    assert around_keypoints(keypoints((10, 10, 0.2), (30, 50, 0.1), (20, 0, 0.9))) == Box(10, 0, 20, 50)


def test_nothing_to_go_by() -> None:
    assert around_keypoints(None) is None
    assert around_keypoints(keypoints()) is None
    assert around_keypoints(keypoints((10, 10, 0.9))) is None
    assert around_keypoints(keypoints((10, 10, 0.9), (10, 10, 0.8))) is None


def test_joints_in_a_line() -> None:
    box = around_keypoints(keypoints((10, 10, 0.9), (10, 40, 0.8)))
    assert box is not None
    assert box.w > 0
    assert box.h == 30
