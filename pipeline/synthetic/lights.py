"""Light: one strong source and up to two weaker ones, sky and ground, and how bright the picture is exposed."""

from dataclasses import dataclass

import numpy as np

from s2hand.pipeline.synthetic.noise import Floats


@dataclass(frozen=True)
class Lights:
    """towards [L, 3] unit vectors to the sources (the first casts shadows), colours [L, 3], sky and ground [3], up [3].

    Linear RGB in camera axes; together they light a white surface to about 1.
    """

    towards: Floats
    colours: Floats
    sky: Floats
    ground: Floats
    up: Floats


def sample_lights(rng: np.random.Generator) -> Lights:
    """Indoor lamps, windows, sun, flash; warm and cold; soft and hard."""
    count = int(rng.integers(1, 4))
    softness = rng.uniform(0.12, 0.75)  # share of the light that comes from everywhere
    up = np.array([0, -1, 0]) + rng.normal(0, 0.35, 3)
    towards = up + rng.normal(0, 0.9, (count, 3)) + [0, 0, -0.7]
    if rng.random() < 0.12:
        towards[0] = np.array([0, 0, -1]) + rng.normal(0, 0.15, 3)  # flash
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    strength = rng.uniform(0.1, 0.6, count)
    strength[0] = 1.0
    strength *= (1 - softness) * 1.5 / strength.sum()
    colours = strength[:, None] * np.stack([_temperature(rng) for _ in range(count)])
    sky = softness * 1.15 * _temperature(rng)
    ground = sky * rng.uniform(0.2, 0.95) * np.exp(rng.normal(0, 0.12, 3))
    up /= np.linalg.norm(up)
    return Lights(*(np.ascontiguousarray(a, np.float32) for a in (towards, colours, sky, ground, up)))


def _temperature(rng: np.random.Generator) -> Floats:
    """The colour of a light [3], from candle to blue sky, mostly near white."""
    warm = rng.normal(0, 0.14)
    tint = rng.normal(0, 0.03)
    if rng.random() < 0.05:
        return np.asarray(np.exp(rng.normal(0, 0.22, 3)), np.float32)
    return np.asarray(np.exp([warm, tint, -warm * 1.3]), np.float32)
