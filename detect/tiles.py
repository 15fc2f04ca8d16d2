"""A tile of a contact sheet: a photograph with its hands, or one hand cut out, and what is written below it."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image, square_box, to_crop
from s2hand.datasets.drawing import Color, Image, draw_hand, text_width, write_text
from s2hand.datasets.images import ImageError, read_image
from s2hand.datasets.records import Hand
from s2hand.detect.selection import Shown, ShownHand

TILE = 256  # pixels of a photograph's longer side
LINE = 20  # pixels of a line of text below it
SUPERSAMPLING = 2  # drawn larger and reduced, so that thin lines are smooth
TEXT = 0.42  # size
GONE = 90  # grey of what can't be read
MISSING = "missing"
MOST_NAMED = 3  # hands that a caption tells apart

INK: Color = (235, 235, 235)
HAND_COLORS: dict[Hand, Color] = {"right": (130, 225, 255), "left": (255, 165, 190)}
_WHOLE_HAND = 200  # pixels of a hand on the canvas for which lines are as bold as for one that fills its tile
_THINNEST = 0.6


def draw_photograph(images: Path, shown: Shown) -> Image:
    """Read a photograph, fit it into a tile, and draw its hands and their boxes; `missing` if it can't be read."""
    try:
        image = read_image(images / shown.image)
    except ImageError:
        return _draw_missing()
    scale = TILE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    kind = cv2.INTER_AREA if scale * SUPERSAMPLING < 1 else cv2.INTER_CUBIC
    large = cv2.resize(image, (width * SUPERSAMPLING, height * SUPERSAMPLING), interpolation=kind)
    canvas = large.astype(np.uint8, copy=False)
    ratio = np.array([canvas.shape[1] / image.shape[1], canvas.shape[0] / image.shape[0]], np.float32)
    for hand in shown.hands:
        if hand.box != square_box(image.shape[1], image.shape[0]):
            _draw_box(canvas, hand, ratio)
        _draw(canvas, hand.keypoints * np.array([*ratio, 1], np.float32))
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def draw_crop(images: Path, shown: Shown) -> Image:
    """Read a photograph, cut the box of the tile's hand out, and draw the hand; `missing` if it can't be read."""
    try:
        image = read_image(images / shown.image)
    except ImageError:
        return _draw_missing()
    (hand,) = shown.hands
    side = max(hand.box.w, hand.box.h)
    square = Box(hand.box.x + (hand.box.w - side) / 2, hand.box.y + (hand.box.h - side) / 2, side, side)
    size = TILE * SUPERSAMPLING
    canvas = crop_image(image, square, size)
    keypoints = hand.keypoints.copy()
    keypoints[:, :2] = to_crop(keypoints[:, :2], square, size)
    _draw(canvas, keypoints)
    return cv2.resize(canvas, (TILE, TILE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _draw_missing() -> Image:
    tile = np.full((TILE, TILE, 3), GONE, np.uint8)
    write_text(tile, MISSING, (TILE - text_width(MISSING, TEXT)) // 2, TILE // 2, INK, TEXT)
    return tile


def write_caption(sheet: Image, shown: Shown, left: int, base: int) -> None:
    """Write a tile's name, hands and mean confidences in one line, each hand in its colour.

    `base` is where the letters stand. A long name loses its start.
    """
    words = [(_say(hand, len(shown.hands)), HAND_COLORS[hand.hand]) for hand in shown.hands[:MOST_NAMED]]
    if len(shown.hands) > MOST_NAMED:
        words.append((f"+{len(shown.hands) - MOST_NAMED}", INK))
    room = TILE - sum(text_width(f" {text}", TEXT) for text, _ in words)
    x = write_text(sheet, shorten(shown.image, room), left, base, INK, TEXT)
    for text, color in words:
        x = write_text(sheet, f" {text}", x, base, color, TEXT)


def write_reasons(sheet: Image, shown: Shown, left: int, base: int) -> None:
    """Write in a line why the tile's hands are suspicious."""
    found = dict.fromkeys(reason for hand in shown.hands for reason in hand.reasons)
    text = ", ".join(found)
    while text_width(text, TEXT) > TILE:
        text = text[:-2].rstrip("~") + "~"
    write_text(sheet, text, left, base, INK, TEXT)


def shorten(name: str, room: int) -> str:
    """Return a name, without its start if it would be wider than `room` pixels: the end tells names apart."""
    short = name
    while text_width(short, TEXT) > room and len(short) > 1:
        short = "~" + short.removeprefix("~")[1:]
    return short


def _say(hand: ShownHand, together: int) -> str:
    return f"{hand.hand if together == 1 else hand.hand[0].upper()} {hand.confidence:.2f}"


def _draw(canvas: Image, keypoints: NDArray[np.float32]) -> None:
    """Draw a hand with lines as bold as its size allows."""
    xy = keypoints[np.isfinite(keypoints[:, 0]), :2]
    extent = float(np.ptp(xy, axis=0).max()) if len(xy) else 0.0
    draw_hand(canvas, keypoints, SUPERSAMPLING * min(1.0, max(_THINNEST / SUPERSAMPLING, extent / _WHOLE_HAND)))


def _draw_box(canvas: Image, hand: ShownHand, ratio: NDArray[np.float32]) -> None:
    corner, sides = np.array([hand.box.x, hand.box.y]) * ratio, np.array([hand.box.w, hand.box.h]) * ratio
    start, stop = (tuple(map(math.floor, (at).tolist())) for at in (corner, corner + sides))
    cv2.rectangle(canvas, start, stop, HAND_COLORS[hand.hand], SUPERSAMPLING)
