"""Random fields: multi-octave noise over images and over space, colours and palettes.

Everything random in the photographs comes from a `numpy.random.Generator` that the caller passes.
"""

from functools import cache
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]
Image = TypeVar("Image", Floats, Bytes)

_VOLUME_SIDE = 32
_FIELD_SIDE = 512
_PERSISTENCES = (0.45, 0.6, 0.75, 0.9)


@cache
def _field_bank() -> dict[float, Floats]:
    """Large multi-octave fields [3, side, side] by persistence, the same everywhere; crops of them are the noise."""
    rng = np.random.default_rng(20240301)
    bank = {}
    for persistence in _PERSISTENCES:
        total = np.zeros((_FIELD_SIDE, _FIELD_SIDE, 3), np.float32)
        amplitude, side = 1.0, 4
        while side <= _FIELD_SIDE:
            grid = rng.standard_normal((side + 1, side + 1, 3)).astype(np.float32)
            total += amplitude * cv2.resize(grid, (_FIELD_SIDE, _FIELD_SIDE), interpolation=cv2.INTER_LINEAR)
            amplitude, side = amplitude * persistence, side * 2
        bank[persistence] = np.ascontiguousarray((total / total.std(axis=(0, 1))).transpose(2, 0, 1))
    return bank


def fractal(rng: np.random.Generator, size: int, channels: int, persistence: float, coarse: float = 1) -> Floats:
    """Multi-octave noise, [size, size, channels] (1 or 3 channels), of mean about 0 and standard deviation about 1.

    `persistence` is the amplitude of an octave relative to the next coarser one: .5 is smooth, .9 is grainy; real
    scenes, whose spectrum falls as 1/f, lie between. `coarse` above 1 magnifies it.
    """
    field = _field_bank()[min(_PERSISTENCES, key=lambda known: abs(known - persistence))]
    side = min(max(8, int(size / coarse)), _FIELD_SIDE)
    room = _FIELD_SIDE - side + 1
    x, y, plane, flip_x, flip_y = (int(n) for n in rng.integers(0, (room, room, 3, 2, 2)))
    planes = [plane] if channels == 1 else [plane, (plane + 1) % 3, (plane + 2) % 3]
    crop = field[planes, y : y + side, x : x + side][:, :: 1 - 2 * flip_y, :: 1 - 2 * flip_x]
    image = np.ascontiguousarray(crop.transpose(1, 2, 0))
    if side == size:
        return image
    resized: Floats = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.reshape(resized, (size, size, channels))


@cache
def noise_volume() -> Floats:
    """A periodic volume of smooth noise in about [-1, 1], [32, 32, 32], the same in every process."""
    rng = np.random.default_rng(20240229)
    return rng.uniform(-1, 1, (_VOLUME_SIDE,) * 3).astype(np.float32)


def noise_at(points: Floats, frequency: float, offset: Floats) -> Floats:
    """Trilinear lookups of `noise_volume` at points [N, 3] (metres) x frequency (cells per metre) + offset [3]."""
    volume = noise_volume()
    where = points * np.float32(frequency) + offset
    cell = np.floor(where).astype(np.int64)
    along = where - cell
    along = along * along * (3 - 2 * along)
    total = np.zeros(len(points), np.float32)
    for corner in range(8):
        step = np.array([corner & 1, (corner >> 1) & 1, corner >> 2])
        i, j, k = ((cell + step) % _VOLUME_SIDE).T
        total += np.prod(np.where(step == 1, along, 1 - along), axis=1).astype(np.float32) * volume[i, j, k]
    return total


def colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """One RGB colour, 0..255: mostly muted, sometimes saturated, often warm, as the things around people are."""
    kind, hue = rng.random(2).tolist()
    if kind < 0.25:  # greys, black and white
        grey = rng.beta(0.8, 0.8) * 255
        r, g, b = (grey + rng.normal(0, 6, 3)).tolist()
        return _bytes(r, g, b)
    if kind < 0.5:  # wood, leather, skin: the hard distractors
        hue = rng.normal(0.07, 0.03) % 1
    saturation = rng.beta(1.2, 3.0) if kind < 0.88 else rng.uniform(0.6, 1)
    value = rng.beta(1.8, 1.3) * 255
    sector, along = divmod(hue * 6, 1.0)
    low, falling, rising = (
        value * (1 - saturation),
        value * (1 - saturation * along),
        value * (1 - saturation * (1 - along)),
    )
    warm = ((value, rising, low), (falling, value, low), (low, value, rising))
    cold = ((low, falling, value), (rising, low, value), (value, low, falling))
    return _bytes(*(warm + cold)[int(sector) % 6])


def palette(rng: np.random.Generator, count: int, spread: float) -> list[tuple[int, int, int]]:
    """`count` colours that belong together: a few independent ones and variations of them."""
    roots = np.array([colour(rng) for _ in range(max(2, count // 3))])
    light = rng.normal(0, spread, (count, 1)) + rng.normal(0, spread / 4, (count, 3))
    chosen = np.clip(roots[rng.integers(0, len(roots), count)] + light, 0, 255).astype(int)
    return [tuple(c) for c in chosen.tolist()]


def _bytes(r: float, g: float, b: float) -> tuple[int, int, int]:
    """Clamp a colour to bytes."""
    return int(min(max(r, 0), 255)), int(min(max(g, 0), 255)), int(min(max(b, 0), 255))


def soften(image: Image, sigma: float) -> Image:
    """A Gaussian blur; wide ones on a smaller image, which costs less and looks the same."""
    if sigma < 3:
        return cast(Image, cv2.GaussianBlur(image, (0, 0), sigma))
    size, step = image.shape[0], int(sigma // 2)
    small = cv2.resize(image, (max(4, size // step),) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma * len(small) / size)
    return cast(Image, cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR))
