"""Draw the keypoints of a hand on its photograph: one colour per finger, the surer the bolder; and write pictures."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import replacing
from s2hand.datasets.skeleton import BONES, FINGERS

Image = NDArray[np.uint8]  # [H, W, 3] RGB
Color = tuple[int, int, int]

FINGER_COLORS: dict[str, Color] = {
    "thumb": (255, 80, 60),
    "index": (255, 190, 0),
    "middle": (60, 210, 70),
    "ring": (50, 150, 255),
    "little": (220, 90, 255),
}
WRIST_COLOR: Color = (255, 255, 255)
OUTLINE: Color = (0, 0, 0)
FAINTEST = 0.2  # opacity of a joint with hardly any confidence: still to be seen
FRACTION_BITS = 4  # OpenCV takes positions in sixteenths of a pixel
_NOTE = b"Comment"  # a keyword that PNG registers
_BEFORE_NOTE = 33  # bytes of a PNG file: its signature and its header


def joint_color(joint: int) -> Color:
    """Return the colour of a joint's finger; the wrist is white."""
    names = [name for name, joints in FINGERS.items() if joint in joints]
    return FINGER_COLORS[names[0]] if names else WRIST_COLOR


def draw_hand(image: Image, keypoints: NDArray[np.float32], unit: float | None = None) -> None:
    """Draw keypoints [21, 3] (x, y in pixels, confidence) into an image; joints that are NaN are left out.

    Bones are 2 units wide, in pixels; by default a unit follows the image's size. Opacity and dot size follow the
    confidence.
    """
    unit = max(1.0, max(image.shape[:2]) / 256) if unit is None else unit
    sure = keypoints[:, 2]
    for parent, child in _bones_to_draw(keypoints):
        ends = keypoints[[parent, child], :2]
        opacity = _opacity(min(sure[parent], sure[child]))
        _stroke(image, ends, 2.0 * unit, 0.8 * unit, joint_color(child), opacity)
    for joint in np.flatnonzero(sure > 0).tolist():
        at = keypoints[[joint, joint], :2]
        _stroke(image, at, (3.0 + 3.0 * sure[joint]) * unit, unit, joint_color(joint), _opacity(sure[joint]))


def _bones_to_draw(keypoints: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    return ((parent, child) for parent, child in BONES if min(keypoints[parent, 2], keypoints[child, 2]) > 0)


def _opacity(confidence: float) -> float:
    return FAINTEST + (1 - FAINTEST) * float(np.clip(confidence, 0, 1))


def _stroke(
    image: Image, ends: NDArray[np.float32], width: float, outline: float, color: Color, opacity: float
) -> None:
    """Blend a line with round ends (a dot, where both ends are one) and a dark outline into an image."""
    height, wide = image.shape[:2]
    margin = width / 2 + outline + 2
    left, top = np.clip(np.floor(ends.min(axis=0) - margin), 0, (wide, height)).astype(int)
    right, bottom = np.clip(np.ceil(ends.max(axis=0) + margin), 0, (wide, height)).astype(int)
    if left >= right or top >= bottom:
        return
    patch = image[top:bottom, left:right]
    drawn = patch.copy()
    # OpenCV's positions are of pixel centres: 0 is ours 0.5.
    start, end = ((ends - (left, top) - 0.5) * (1 << FRACTION_BITS)).round().astype(int).tolist()
    for thickness, shade in ((width + 2 * outline, OUTLINE), (width, color)):
        cv2.line(drawn, start, end, shade, max(1, round(thickness)), cv2.LINE_AA, FRACTION_BITS)
    cv2.addWeighted(drawn, opacity, patch, 1 - opacity, 0, dst=drawn)
    image[top:bottom, left:right] = drawn


def write_text(image: Image, text: str, x: int, y: int, color: Color, size: float) -> int:
    """Write a line (ASCII; the font has nothing else) with its base at y; return where it ends."""
    cv2.putText(image, _plain(text), (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
    return x + text_width(text, size)


def text_width(text: str, size: float) -> int:
    """Return how many pixels wide a line of text is."""
    (width, _), _ = cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    return int(width)


def _plain(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def write_png(path: Path, image: Image, note: str = "") -> None:
    """Write a picture, in place when it is whole; `note` (latin-1) goes along as what made it, see `read_note`."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"{path}: a picture of {image.shape[1]} x {image.shape[0]} pixels can't be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(_with_note(data.tobytes(), note) if note else data.tobytes())


def read_note(path: Path) -> str:
    """Return the note of a picture that `write_png` wrote; empty for any other file."""
    with path.open("rb") as file:
        start = file.read(_BEFORE_NOTE + 12 + 256)[_BEFORE_NOTE:]
    length = int.from_bytes(start[:4])
    key, _, note = start[8 : 8 + length].partition(b"\0")
    return note.decode("latin-1") if (start[4:8], key) == (b"tEXt", _NOTE) else ""


def _with_note(png: bytes, note: str) -> bytes:
    body = b"tEXt" + _NOTE + b"\0" + note.encode("latin-1")
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return png[:_BEFORE_NOTE] + chunk + png[_BEFORE_NOTE:]
