"""The square that is looked at: whole pixels, the same centre, grey outside."""

import numpy as np
import pytest

from s2hand.datasets.cameras import OUTSIDE, Box
from s2hand.detect.crops import cut_square, hand_square


@pytest.mark.parametrize(
    ("box", "scale", "square"),
    [
        (Box(3, 4, 10, 10), 1.0, (3, 4, 10, 10)),
        (Box(-3, 4, 10, 10), 1.0, (-3, 4, 10, 10)),
        (Box(0, 0, 10, 20), 1.0, (-5, 0, 20, 20)),
        (Box(10, 10, 10, 20), 1.5, (0, 5, 30, 30)),
        (Box(0.4, 0.6, 7.3, 5), 1.0, (1, 0, 7, 7)),
        (Box(5, 5, 0.1, 0.1), 1.0, (5, 5, 1, 1)),
    ],
)
def test_a_box_becomes_a_square_of_whole_pixels(box, scale, square):
    found = hand_square(box, scale)
    assert (found.x, found.y, found.w, found.h) == square
    assert hand_square(found) == found
    assert abs(found.x + found.w / 2 - box.x - box.w / 2) <= 0.5
    assert abs(found.y + found.h / 2 - box.y - box.h / 2) <= 0.5


def test_a_cut_holds_the_pixels_and_grey_outside():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut_square(image, Box(4, 5, 10, 10)), image[5:15, 4:14])
    crop = cut_square(image, Box(-4, 15, 10, 10))
    np.testing.assert_array_equal(crop[:5, 4:], image[15:, :6])
    assert (crop[5:] == OUTSIDE).all()
    assert (crop[:, :4] == OUTSIDE).all()


@pytest.mark.parametrize("box", [Box(30, 0, 5, 5), Box(0, -5, 5, 5), Box(-5, 0, 5, 5), Box(0, 20, 5, 5)])
def test_a_square_beside_the_image_is_refused(box):
    with pytest.raises(ValueError, match="outside the image of 30 x 20 pixels"):
        cut_square(np.zeros((20, 30, 3), np.uint8), box)


def test_a_square_far_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="hand box -500, -500, 1000 x 1000: far larger"):
        cut_square(np.zeros((20, 30, 3), np.uint8), Box(-500, -500, 1000, 1000))
