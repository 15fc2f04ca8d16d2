"""What is behind a hand: a base layer, clutter over it, light and focus. Procedural from end to end."""

from collections.abc import Callable
from functools import cache

import numpy as np

from s2hand.pipeline.synthetic import clutter, patterns
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE
from s2hand.pipeline.synthetic.noise import Bytes, soften

_TEXTURES = 160
_FAR_BLUR = 0.05  # of the image's side: a wall far behind a hand that the lens is close to

_BASES: tuple[tuple[Callable[[np.random.Generator, int], Bytes], float], ...] = (
    (patterns.wall, 0.14),
    (patterns.clouds, 0.08),
    (patterns.woven, 0.18),
    (patterns.leaves, 0.18),
    (patterns.room, 0.18),
    (patterns.shelves, 0.12),
    (patterns.page, 0.06),
    (patterns.lights, 0.06),
)
_CLUTTER: tuple[tuple[Callable[[np.random.Generator, Bytes], None], float], ...] = (
    (clutter.shapes, 0.35),
    (clutter.bars, 0.35),
    (clutter.clothes, 0.22),
    (clutter.face, 0.15),
    (clutter.limbs, 0.25),
    (clutter.marks, 0.2),
    (clutter.blobs, 0.5),
)


def sample_background(rng: np.random.Generator, size: int, difficulty: float = 1.0, limbs: bool = True) -> Bytes:
    """A background [size, size, 3], uint8 RGB. Of a difficulty below a half, it is ever emptier and blurred.

    limbs: whether other people's arms, with fingers, may be in it: not where every hand counts.
    """
    calm = max(0.0, 1 - 2 * difficulty)
    weights = np.array([weight for _, weight in _BASES])
    base = _BASES[int(rng.choice(len(_BASES), p=weights / weights.sum()))][0]
    image = np.ascontiguousarray(base(rng, size))
    busy = rng.uniform(0, 1.6) * (1 - calm)  # from an empty studio to a mess
    for draw, chance in _CLUTTER:
        if rng.random() < chance * busy and (limbs or draw is not clutter.limbs):
            draw(rng, image)
    if rng.random() < 0.6:  # out of focus
        image = soften(image, size / 224 * max(0.3, rng.exponential(1.6)))
    if calm > 0:
        image = soften(image, _FAR_BLUR * calm * size)
    return image


@cache
def _texture_bank() -> tuple[Bytes, ...]:
    """Surfaces for objects, the same in every process: plain ones first, then patterned and printed ones."""
    rng = np.random.default_rng(20240304)
    plain = [patterns.wall(rng, TEXTURE_SIDE) for _ in range(_TEXTURES // 2)]
    return (*plain, *(sample_background(rng, TEXTURE_SIDE) for _ in range(_TEXTURES // 2)))


def sample_texture(rng: np.random.Generator) -> Bytes:
    """A surface for an object, [48, 48, 3], uint8 RGB: plain as often as patterned or printed; colours vary."""
    texture = _texture_bank()[int(rng.integers(_TEXTURES))]
    gain = rng.uniform(0.6, 1.25) * np.exp(rng.normal(0, 0.12, 3))
    return np.minimum(texture * gain, 255).astype(np.uint8)
