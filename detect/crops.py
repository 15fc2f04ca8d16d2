"""The picture of one hand: the square that is looked at, cut out of a photograph in whole pixels."""

import math

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import OUTSIDE, Box

MOST_OF_IMAGE = 8  # a square this many times the image's longer side shows nothing


def hand_square(box: Box, scale: float = 1.0) -> Box:
    """Return the square of whole pixels around a box: as long as its longer side times `scale`, the same centre.

    A box that is one already, and `scale` 1, give the box itself.
    """
    side = max(1, round(max(box.w, box.h) * scale))
    x, y = (math.floor(at + length / 2 - side / 2 + 0.5) for at, length in ((box.x, box.w), (box.y, box.h)))
    return Box(x, y, side, side)


def cut_square(image: NDArray[np.uint8], square: Box) -> NDArray[np.uint8]:  # [H, W, 3] -> [side, side, 3]
    """Cut a square of whole pixels out of an image; what lies outside the image is grey (`cameras.OUTSIDE`).

    Raises ValueError for a square that does not touch the image, or is far larger than it.
    """
    height, width = image.shape[:2]
    x, y, side = int(square.x), int(square.y), int(square.w)
    if x >= width or y >= height or x + side <= 0 or y + side <= 0:
        raise ValueError(f"hand box {_say(square)}: outside the image of {width} x {height} pixels")
    if side > MOST_OF_IMAGE * max(width, height):
        raise ValueError(f"hand box {_say(square)}: far larger than the image of {width} x {height} pixels")
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    inside = image[top:bottom, left:right]
    if inside.shape[:2] == (side, side):
        return inside
    crop = np.full((side, side, 3), OUTSIDE, np.uint8)
    crop[top - y : bottom - y, left - x : right - x] = inside
    return crop


def is_whole(box: Box, width: int, height: int) -> bool:
    """Tell whether a box is a whole image of that size: then the image is looked at as it is, not as a square."""
    return (box.x, box.y, box.w, box.h) == (0, 0, width, height)


def _say(square: Box) -> str:
    return f"{square.x:g}, {square.y:g}, {square.w:g} x {square.h:g}"
