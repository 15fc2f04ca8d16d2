"""A crop of either hand, and the way back to its photograph."""

import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image, mirror_image, project
from s2hand.datasets.hand_crops import cut_hand
from s2hand.datasets.records import HANDS, Hand

K = np.array([[80.0, 0, 47], [0, 82, 29], [0, 0, 1]])
BOX = Box(11.5, -4.25, 50, 50)


@pytest.mark.parametrize("hand", HANDS)
def test_keypoints_and_points_find_their_way_back(
    picture: NDArray[np.uint8], keypoints: NDArray[np.float32], hand: Hand
) -> None:
    crop = cut_hand(picture, K, BOX, hand, 32, keypoints)
    np.testing.assert_allclose(crop.photograph_px(crop.keypoints[:, :2]), keypoints[:, :2], atol=1e-4)
    np.testing.assert_array_equal(crop.keypoints[:, 2], keypoints[:, 2])
    points = np.random.default_rng(0).uniform((-0.1, -0.1, 0.3), (0.1, 0.1, 0.6), (21, 3))
    there = crop.photograph_px(project(points, crop.K))
    np.testing.assert_allclose(there, project(crop.photograph_cam(points), K), atol=1e-9)


def test_a_left_hand_is_shown_as_a_right_one(picture: NDArray[np.uint8]) -> None:
    right, left = (cut_hand(picture, K, BOX, hand, 32) for hand in HANDS)
    assert (right.mirrored, left.mirrored) == (False, True)
    np.testing.assert_array_equal(right.image, crop_image(picture, BOX, 32))
    np.testing.assert_array_equal(left.image, mirror_image(right.image))


def test_without_keypoints_none_was_found(picture: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(
        cut_hand(picture, K, BOX, "left", 32).keypoints, np.tile(np.float32([np.nan, np.nan, 0]), (21, 1))
    )
