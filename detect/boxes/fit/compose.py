"""Put a scene together: a background, people without hands, right and left hands of all sizes, what is before them.

The same generator state gives the same scene. Boxes are those of the projected joints.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import OUTSIDE
from s2hand.detect.boxes.fit.pieces import Pieces
from s2hand.detect.boxes.fit.settings import SceneSettings
from s2hand.detect.fit.augment import add_noise, blur, change_colors, compress

Image = NDArray[np.uint8]
Affine = NDArray[np.float64]  # [2, 3] of continuous pixels

RIGHT, LEFT = 0, 1

_LEAST_SEEN = 0.3  # share of a hand's pixels; one that shows less is neither looked for nor learnt as absent
_TRACE = 0.02
_SCALE_LIMIT = 2.0  # a cut-out is not enlarged by more
_ALIKE = 12  # hands to choose the most alike from
_NOBODY = -1


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and the hands in it."""

    image: Image  # [S, S, 3] RGB
    boxes: NDArray[np.float32]  # [N, 4] centre x, y, width, height of the joints' box, pixels
    sides: NDArray[np.int64]  # [N] RIGHT or LEFT
    ignored: NDArray[np.float32]  # [M, 4] boxes of hands that are hidden for the most part


@dataclass
class _Canvas:
    """A scene in the making: its picture, and which hand each pixel shows."""

    image: Image
    owner: NDArray[np.int16]

    def paste(self, piece: Image, mask: NDArray[np.uint8] | None, where: Affine, number: int, gain: Any) -> None:
        """Put a cut-out [S, S, 4] over the picture; its hand's pixels (mask [S, S]) are `number`'s from now on."""
        size = self.image.shape[0]
        piece, mask, where = _shrink(piece, mask, where)
        low, high = _reach(where, piece.shape[0], size)
        if (high <= low).any():
            return
        cv_where = _from_centres(where - np.column_stack([np.zeros((2, 2)), low]))
        extent = tuple((high - low).tolist())
        warped: Any = cv2.warpAffine(piece, cv_where, extent, flags=cv2.INTER_LINEAR)
        cut = (slice(low[1], high[1]), slice(low[0], high[0]))
        cover = warped[..., 3:].astype(np.float32) * np.float32(1 / 255)
        under = self.image[cut].astype(np.float32)
        colour = np.minimum(warped[..., :3] * np.asarray(gain, np.float32), 255)
        self.image[cut] = (under + (colour - under) * cover + 0.5).astype(np.uint8)
        owner = self.owner[cut]
        owner[warped[..., 3] > 127] = _NOBODY
        if mask is not None:
            skin: Any = cv2.warpAffine(mask, cv_where, extent, flags=cv2.INTER_LINEAR)
            owner[skin > 127] = number


def compose(pieces: Pieces, settings: SceneSettings, degradation: float, rng: np.random.Generator) -> Scene:
    """Return a fresh scene. degradation: 0 to 1, how much of the frequency of blur, noise and JPEG applies."""
    size = settings.side
    canvas = _Canvas(_background(pieces, size, rng), np.full((size, size), _NOBODY, np.int16))
    for _ in range(_draw(settings.people, rng)):
        _add_person(canvas, pieces, rng)
    hands: list[_Hand] = []
    for number in range(_draw(settings.counts, rng)):
        pair = bool(hands) and rng.random() < settings.pairs
        hand = _partner(hands[-1], pieces, size, rng) if pair else _any_hand(pieces, settings, rng)
        canvas.paste(*_cut(pieces, hand.index), hand.where, number, _gain(rng))
        hands.append(hand)
    if rng.random() < settings.front:
        _hide(canvas, pieces, rng)
    if rng.random() < 0.15:  # letterboxed
        _letterbox(canvas, rng)
    image = _photograph(canvas.image, settings, degradation, rng)
    return _labelled(image, canvas.owner, hands, pieces)


@dataclass(frozen=True)
class _Hand:
    """One hand that was placed: which cut-out, where it went, which side it is."""

    index: int
    where: Affine
    side: int
    box: NDArray[np.float64]  # centre x, y, width, height


def _background(pieces: Pieces, size: int, rng: np.random.Generator) -> Image:
    """A part of a background, turned over now and then."""
    behind = pieces.backgrounds[rng.integers(len(pieces.backgrounds))]
    side = int(pieces.side * rng.uniform(0.45, 1.0))
    x, y = rng.integers(0, pieces.side - side + 1, 2)
    part = behind[y : y + side, x : x + side]
    part = part[:: -1 if rng.random() < 0.15 else 1, :: -1 if rng.random() < 0.5 else 1]
    image: Image = np.asarray(cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_LINEAR))
    return image


def _add_person(canvas: _Canvas, pieces: Pieces, rng: np.random.Generator) -> None:
    """Somebody without hands, upright for the most part, of any size."""
    size = canvas.image.shape[0]
    zoom = np.exp(rng.uniform(np.log(0.3), np.log(1.5))) * size / pieces.side
    turn = rng.normal(0, 0.25) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
    where = _affine(
        zoom, turn, bool(rng.random() < 0.5), np.full(2, pieces.side / 2), rng.uniform(0.05, 0.95, 2) * size
    )
    canvas.paste(pieces.people[rng.integers(len(pieces.people))], None, where, _NOBODY, _gain(rng))


def _any_hand(pieces: Pieces, settings: SceneSettings, rng: np.random.Generator) -> _Hand:
    """A hand of any size anywhere; a large one nearer to the middle, so that most of it is seen."""
    size = settings.side
    wanted = np.exp(rng.uniform(*np.log(settings.sizes))) * size
    room = np.maximum(size - wanted, 0.06 * size) / 2
    centre = size / 2 + room * rng.uniform(-1.1, 1.1, 2)
    index = int(rng.integers(len(pieces.hands)))
    return _place(pieces, index, wanted, centre, int(rng.integers(2)), rng)


def _partner(other: _Hand, pieces: Pieces, size: int, rng: np.random.Generator) -> _Hand:
    """The other hand of the same person: near, about as large, of the same skin."""
    candidates = rng.integers(0, len(pieces.hands), _ALIKE)
    apart = np.abs(pieces.tints[candidates] - pieces.tints[other.index]).sum(1)
    wanted = max(other.box[2:]) * np.exp(rng.normal(0, 0.15))
    reach = wanted * (rng.uniform(0.3, 0.8) if rng.random() < 0.5 else rng.uniform(0.8, 2.0))
    way = rng.uniform(0, 2 * np.pi)
    centre = np.clip(other.box[:2] + reach * np.array([np.cos(way), np.sin(way)]), 0.05 * size, 0.95 * size)
    return _place(pieces, int(candidates[apart.argmin()]), wanted, centre, 1 - other.side, rng)


def _place(
    pieces: Pieces, index: int, wanted: float, centre: NDArray[np.float64], side: int, rng: np.random.Generator
) -> _Hand:
    """Turn a hand by chance and give its joints' box a longer side (pixels) and a centre."""
    joints = pieces.joints[index].astype(np.float64)
    turn = rng.normal(0, 0.5) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi)
    linear = _affine(1.0, turn, side == LEFT, np.zeros(2), np.zeros(2))[:, :2]
    turned = joints @ linear.T
    low, high = turned.min(0), turned.max(0)
    zoom = min(wanted / float((high - low).max()), _SCALE_LIMIT)
    where = np.column_stack([linear * zoom, centre - zoom * (low + high) / 2])
    return _Hand(index, where, side, np.array([*centre, *((high - low) * zoom)]))


def _hide(canvas: _Canvas, pieces: Pieces, rng: np.random.Generator) -> None:
    """Part of another background before the scene, an ellipse or a polygon."""
    size = canvas.image.shape[0]
    angles = np.sort(rng.uniform(0, 2 * np.pi, 24 if rng.random() < 0.4 else int(rng.integers(3, 7))))
    reach = size * np.exp(rng.uniform(np.log(0.05), np.log(0.35), 2))
    outline = rng.uniform(0, size, 2) + reach * np.column_stack([np.cos(angles), np.sin(angles)])
    stencil = np.zeros((size, size), np.uint8)
    cv2.fillPoly(stencil, [outline.round().astype(np.int32)], 1)
    canvas.image[stencil > 0] = _background(pieces, size, rng)[stencil > 0]
    canvas.owner[stencil > 0] = _NOBODY


def _letterbox(canvas: _Canvas, rng: np.random.Generator) -> None:
    """Grey bars on two sides, as a photograph that is not square has them."""
    size = canvas.image.shape[0]
    bar, upright = int(rng.uniform(0.02, 0.25) * size), rng.random() < 0.5
    for array, value in ((canvas.image, OUTSIDE), (canvas.owner, _NOBODY)):
        rows: NDArray[Any] = array.swapaxes(0, 1) if upright else array
        rows[:bar] = rows[size - bar :] = value


def _photograph(image: Image, settings: SceneSettings, degradation: float, rng: np.random.Generator) -> Image:
    """What a camera does."""
    image = change_colors(image, settings.color, rng)
    if rng.random() < settings.blur * degradation:
        image = blur(image, rng)
    if rng.random() < settings.noise * degradation:
        image = add_noise(image, rng)
    if rng.random() < settings.jpeg * degradation:
        image = compress(image, rng)
    return image


def _labelled(image: Image, owner: NDArray[np.int16], hands: list[_Hand], pieces: Pieces) -> Scene:
    """Sort hands into those that are seen and those that are hidden."""
    size = image.shape[0]
    seen: list[_Hand] = []
    hidden: list[_Hand] = []
    for number, hand in enumerate(hands):
        zoom = abs(np.linalg.det(hand.where[:, :2]))
        pixels = np.unpackbits(pieces.hand_masks[hand.index]).sum() * zoom
        share = np.count_nonzero(owner == number) / max(float(pixels), 1.0)
        inside = bool(((hand.box[:2] > 0) & (hand.box[:2] < size)).all())
        if share >= _LEAST_SEEN and inside:
            seen.append(hand)
        elif share > _TRACE:
            hidden.append(hand)
    return Scene(
        image,
        np.array([hand.box for hand in seen], np.float32).reshape(-1, 4),
        np.array([hand.side for hand in seen], np.int64),
        np.array([hand.box for hand in hidden], np.float32).reshape(-1, 4),
    )


def _cut(pieces: Pieces, index: int) -> tuple[Image, NDArray[np.uint8]]:
    return pieces.hands[index], np.unpackbits(pieces.hand_masks[index], axis=-1) * np.uint8(255)


def _shrink(
    piece: Image, mask: NDArray[np.uint8] | None, where: Affine
) -> tuple[Image, NDArray[np.uint8] | None, Affine]:
    """Halve a cut-out that is to be made much smaller, so that sampling it does not alias."""
    while np.sqrt(abs(np.linalg.det(where[:, :2]))) < 0.6 and piece.shape[0] % 2 == 0:
        half = (piece.shape[1] // 2, piece.shape[0] // 2)
        piece = np.asarray(cv2.resize(piece, half, interpolation=cv2.INTER_AREA))
        mask = None if mask is None else np.asarray(cv2.resize(mask, half, interpolation=cv2.INTER_AREA))
        where = where * np.array([2, 2, 1])
    return piece, mask, where


def _reach(where: Affine, side: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The corners of the part of the picture that a square of `side` pixels comes to lie on."""
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]]) @ where[:, :2].T + where[:, 2]
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    return np.clip(low, 0, size), np.clip(high, 0, size)


def _affine(zoom: float, turn: float, mirrored: bool, middle: NDArray[Any], target: NDArray[Any]) -> Affine:
    """Mirror, turn, resize; `middle` of the cut-out comes to lie on `target`."""
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    return np.column_stack([linear, target - linear @ middle])


def _from_centres(where: Affine) -> Affine:
    # warpAffine counts pixels from their centres, we from their corners.
    return np.column_stack([where[:, :2], where[:, 2] + where[:, :2] @ (0.5, 0.5) - 0.5])


def _gain(rng: np.random.Generator) -> NDArray[np.float64]:  # [3]
    """Light that a cut-out is in, beside that of the background."""
    return np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))


def _draw(chances: tuple[float, ...], rng: np.random.Generator) -> int:
    """A number 0, 1, ... with these chances, which need not sum to 1."""
    weights = np.array(chances)
    return int(rng.choice(len(weights), p=weights / weights.sum()))
