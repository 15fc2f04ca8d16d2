"""From light to a photograph: the background behind the scene, lens, exposure, colour, sensor and compression."""

from dataclasses import dataclass
from functools import cache

import cv2
import numba
import numpy as np

from s2hand.pipeline.synthetic.noise import Bytes, Floats, soften

_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_CURVE_STEPS = 1024
_GRAIN = 1 << 18


@dataclass(frozen=True)
class Foreground:
    """What was rendered, at the photograph's size.

    light [S, S, 3] linear RGB, premultiplied by cover [S, S] in [0, 1]: the share of a pixel that it fills.
    """

    light: Floats
    cover: Floats


def take_photograph(rng: np.random.Generator, front: Foreground, background: Bytes, degradation: float) -> Bytes:
    """One photograph [S, S, 3], uint8 RGB. `degradation` in [0, 1] is how often and how much the camera spoils it."""
    light = compose(rng, front, background)
    if rng.random() < 0.15 + 0.35 * degradation:
        light = _lens(rng, light, degradation)
    hand = float(front.light[::4, ::4].sum() / max(3 * float(front.cover[::4, ::4].sum()), 1e-3))
    image = _develop(rng, light, max(hand, 1e-3), degradation)
    if rng.random() < 0.3 * degradation:
        quality = int(rng.integers(25, 80))
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return image


def compose(rng: np.random.Generator, front: Foreground, background: Bytes) -> Floats:
    """The scene before its background, linear RGB [S, S, 3]; now and then it casts a soft shadow there."""
    size = len(background)
    light = _LINEAR[background]
    cover = front.cover
    gain = np.exp(rng.normal(-0.15, 0.4))
    dim = np.full_like(cover, gain)
    if rng.random() < 0.4:
        shift = rng.normal(0, 0.08, 2) * size
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        moved = np.asarray(cv2.warpAffine(cover, move, (size, size), borderMode=cv2.BORDER_REPLICATE), np.float32)
        dim *= 1 - np.float32(rng.uniform(0.2, 0.7)) * soften(moved, max(1.0, rng.exponential(0.04) * size))
    if rng.random() < 0.05:  # the edge of another picture, as in crops that reach beyond the frame
        edge = int(rng.uniform(0.03, 0.3) * size)
        side = int(rng.integers(4))
        cut = (slice(edge), slice(None)) if side == 0 else (slice(size - edge, None), slice(None))
        cut = cut if side < 2 else cut[::-1]
        blank = np.ones_like(cover)
        blank[cut] = 0
        return np.asarray((front.light + light * (dim * (1 - cover))[..., None]) * blank[..., None])
    return np.asarray(front.light + light * (dim * (1 - cover))[..., None])


def _lens(rng: np.random.Generator, light: Floats, degradation: float) -> Floats:
    """Out of focus, moved, or of low resolution."""
    size = len(light)
    kind = rng.random()
    if kind < 0.5:
        return np.asarray(soften(light, size / 224 * min(0.35 + rng.exponential(0.4 + 0.5 * degradation), 3.0)))
    if kind < 0.75:
        length = int(np.clip(rng.exponential(0.012 + 0.012 * degradation), 3 / size, 0.05) * size) | 1
        kernel = np.zeros((length, length), np.float32)
        turn, half = rng.uniform(0, np.pi), (length - 1) / 2
        way = np.array([np.cos(turn), np.sin(turn)]) * half
        a, b = (
            (np.array([half, half]) - way).round().astype(int),
            (np.array([half, half]) + way).round().astype(int),
        )
        cv2.line(kernel, a.tolist(), b.tolist(), 1.0, 1)
        return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))
    coarse = int(size / rng.uniform(1.3, 2 + 1.5 * degradation))
    small = cv2.resize(light, (coarse, coarse), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC))


def _develop(rng: np.random.Generator, light: Floats, hand: float, degradation: float) -> Bytes:
    """Exposure, white balance, saturation, contrast, sensor noise: linear RGB to uint8 sRGB.

    hand: the mean light of what is in front.
    """
    middle = float(light[::8, ::8].mean())
    exposure = np.clip((0.2 / max(middle, 0.02)) ** 0.6, 0.4, 3) * np.exp(rng.normal(0.05, 0.3))
    exposure = np.clip(exposure, 0.07 / hand, 0.75 / hand)  # the hand is what was photographed
    balance = np.exp(rng.normal(0, 0.08, 3))
    saturation = rng.uniform(0.65, 1.3) if rng.random() < 0.96 else 0.0
    grey = np.array([0.25, 0.6, 0.15])
    matrix = (saturation * np.eye(3) + (1 - saturation) * grey[None]) * balance[None] * exposure
    noise = 0.003 + rng.exponential(0.015) * degradation * (rng.random() < 0.7)
    out = np.empty(light.shape, np.uint8)
    _develop_kernel(
        light,
        matrix.astype(np.float32),
        _tone_curve(rng),
        _grain(),
        int(rng.integers(_GRAIN)),
        np.float32(noise),
        out,
    )
    return out


def _tone_curve(rng: np.random.Generator) -> Floats:
    """sRGB value of linear light x at index sqrt(x) * (steps - 1): gamma, a soft shoulder and some contrast."""
    x = np.linspace(0, 1, _CURVE_STEPS) ** 2
    y = x ** (1 / rng.uniform(2.0, 2.4))
    bend = rng.uniform(-0.15, 0.6)
    y = y + bend * (y * y * (3 - 2 * y) - y)
    black, white = rng.uniform(0, 0.05), rng.uniform(0.95, 1)
    return np.asarray(black + (white - black) * y, np.float32)


@cache
def _grain() -> Floats:
    """White noise, the same in every process; photographs start at different places of it."""
    return np.random.default_rng(20240302).standard_normal(_GRAIN).astype(np.float32)


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _develop_kernel(light, matrix, curve, grain, start, noise, out):  # type: ignore[no-untyped-def]
    """Fill `out` [S, S, 3] uint8 from `light` [S, S, 3]."""
    last, mask = curve.shape[0] - 1, grain.shape[0] - 1
    for row in range(light.shape[0]):
        at = start + row * 7919
        for col in range(light.shape[1]):
            r, g, b = light[row, col, 0], light[row, col, 1], light[row, col, 2]
            for k in range(3):
                x = max(matrix[k, 0] * r + matrix[k, 1] * g + matrix[k, 2] * b, np.float32(0))
                x = x if x < 0.8 else 0.8 + 0.2 * (x - 0.8) / (x - 0.6)  # highlights roll off
                y = curve[min(int(np.sqrt(x) * last), last)]
                y += noise * (0.4 + y) * grain[(at + col * 3 + k) & mask]
                out[row, col, k] = np.uint8(min(max(y * 255.0 + 0.5, 0.0), 255.0))
