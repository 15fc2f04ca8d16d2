"""One person's skin: a tone, and how strongly creases, nails, veins, blood and mottling show; nails may be painted.

Absorption adds up in the logarithm of the colour (Beer-Lambert), so every feature is a vector in log RGB that is scaled
by its map: blood darkens green and blue, melanin darkens blue most, callus and nails hold less of both.
"""

from dataclasses import dataclass

import numba
import numpy as np

from s2hand.pipeline.synthetic.hand_surface import MAPS, hand_surface
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE
from s2hand.pipeline.synthetic.noise import Bytes, Floats, colour, fractal
from s2hand.pipeline.synthetic.skin_tones import SkinTone, sample_tone

_BLOOD = np.array([-0.02, -0.42, -0.36], np.float32)
_MELANIN = np.array([-0.35, -0.55, -0.75], np.float32)
_GREY = np.ones(3, np.float32)
_RING = MAPS.index("ring")


@dataclass(frozen=True)
class Skin:
    """What the shader needs of one hand's skin.

    samples [T, 4]: linear RGB and relief (metres) at the samples of `hand_surface`; specular strength and gloss.
    """

    tone: SkinTone
    samples: Floats
    specular: float
    gloss: int


def sample_skin(rng: np.random.Generator) -> Skin:
    """A person's skin; tones are evenly spread over the human range."""
    tone = sample_tone(rng)
    dark = tone.melanin
    shift = dict.fromkeys(MAPS, np.zeros(3, np.float32))
    age = rng.beta(1.3, 1.6)  # lines and veins
    # Palms hold little melanin: on dark skin they are much lighter, on light skin only redder.
    shift["palm"] = -_MELANIN * np.float32(rng.uniform(1.1, 1.8) * dark**1.2) + _BLOOD * np.float32(
        rng.uniform(0.05, 0.45)
    )
    shift["blood"] = _BLOOD * np.float32(rng.uniform(0.1, 1.1) * (1 - 0.5 * dark))
    shift["crease"] = (0.5 * _BLOOD + 0.5 * _MELANIN) * np.float32(rng.uniform(0.3, 1.1))
    shift["wrinkle"] = (0.4 * _BLOOD + 0.6 * _MELANIN) * np.float32(rng.uniform(0.1, 0.6) * (0.6 + age))
    shift["vein"] = np.array([-0.22, -0.06, 0.0], np.float32) * np.float32(rng.uniform(0, 1) * age * (1 - 0.6 * dark))
    shift |= _nails(rng, tone)
    if rng.random() < 0.12:
        metal = np.array([[0.9, 0.65, 0.25], [0.75, 0.75, 0.78]])[int(rng.integers(2))]
        shift["ring"] = np.log(metal / tone.rgb).astype(np.float32)
    for name, strength in (("patch_a", 0.12), ("patch_b", 0.12), ("mottle_a", 0.14), ("mottle_b", 0.14)):
        kind = _BLOOD if rng.random() < 0.5 else _MELANIN
        shift[name] = (kind + 0.15 * _GREY * rng.normal()) * np.float32(rng.exponential(strength) * 1.6)
    shift["grain"] = _MELANIN * np.float32(rng.exponential(0.05))
    mixing = np.stack([shift[name] for name in MAPS]).astype(np.float32)
    ringed = np.float32(rng.integers(1, 5))
    lines = np.array([0.5 + 0.7 * age, rng.uniform(0.2, 1.3) * (0.4 + age), rng.uniform(0.2, 1.0)], np.float32)
    surface = hand_surface()
    samples = _mix(surface.maps, mixing / np.float32(64), tone.rgb, _RING, ringed, surface.height, lines)
    specular = rng.uniform(0.015, 0.1) if rng.random() < 0.8 else rng.uniform(0.1, 0.22)
    return Skin(tone, samples, float(specular), int(rng.integers(3, 6)))


def _nails(rng: np.random.Generator, tone: SkinTone) -> dict[str, Floats]:
    """Log shifts of the nails: pink and lighter than dark skin, with a white edge; or painted."""
    if rng.random() < 0.12:
        polish = np.log((np.array(colour(rng)) / 255) ** 2.2 * 0.9 + 0.01) - np.log(tone.rgb)
        plain = np.zeros(3, np.float32)
        return {
            "nail": polish.astype(np.float32),
            "nail_tip": plain,
            "moon": plain,
            "nail_rim": _MELANIN * np.float32(0.3),
        }
    bed = np.array([0.62, 0.36, 0.29]) * (1 - 0.45 * tone.melanin) * np.exp(rng.normal(0, 0.08, 3))
    edge = np.array([0.75, 0.68, 0.6]) * (1 - 0.25 * tone.melanin)
    nail = np.log(bed) - np.log(tone.rgb)
    return {
        "nail": (nail * rng.uniform(0.5, 1.0)).astype(np.float32),
        "nail_tip": ((np.log(edge) - np.log(bed)) * rng.uniform(0, 0.9)).astype(np.float32),
        "nail_rim": _MELANIN * np.float32(rng.uniform(0.3, 0.9)),
        "moon": _GREY * np.float32(rng.uniform(0, 0.3)),
    }


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _mix(maps, mixing, tone, ring, ringed, height, lines):  # type: ignore[no-untyped-def]
    """Samples [T, 4]: tone * exp(mixing.T @ maps) and lines @ height; mixing comes over 64.

    The map of rings holds the number of the finger; one finger has one.

    exp(x) as (1 + x / 64) ** 64: within 5 % for |x| < 2.5. In blocks that stay in the cache, samples innermost, so that
    the processor handles several at once.
    """
    count, block = maps.shape[1], 1024
    samples = np.empty((count, 4), np.float32)
    sums = np.empty((4, block), np.float32)
    for start in range(0, count, block):
        size = min(block, count - start)
        sums[:] = np.float32(0)
        for m in range(maps.shape[0]):
            x, y, z = mixing[m, 0], mixing[m, 1], mixing[m, 2]  # over 64 by the caller
            for t in range(size):
                value = maps[m, start + t]
                if m == ring:
                    value = np.float32(abs(value - ringed) < np.float32(0.3))
                sums[0, t] += value * x
                sums[1, t] += value * y
                sums[2, t] += value * z
        for m in range(height.shape[0]):
            for t in range(size):
                sums[3, t] += lines[m] * height[m, start + t]
        for k in range(3):
            for t in range(size):
                power = np.float32(1) + sums[k, t]
                power = power * power
                power = power * power
                power = power * power
                power = power * power
                power = power * power
                samples[start + t, k] = min(tone[k] * power * power, np.float32(0.95))
        for t in range(size):
            samples[start + t, 3] = sums[3, t]
    return samples


def arm_texture(rng: np.random.Generator, tone: SkinTone) -> Bytes:
    """Skin of a forearm, [48, 48, 3] uint8 sRGB: the same tone, mottled, lighter inside, sometimes with hair."""
    size = TEXTURE_SIDE
    field = fractal(rng, size, 1, 0.6) * np.float32(rng.exponential(0.06)) * _MELANIN
    field += fractal(rng, size, 1, 0.75) * np.float32(rng.exponential(0.08)) * _BLOOD
    if rng.random() < 0.3:
        hair = fractal(rng, size, 1, 0.9)
        field += np.minimum(0, 0.8 - hair) * np.float32(rng.uniform(0, 0.5))
    linear = np.clip(tone.rgb * np.exp(field), 0, 1)
    return np.asarray(linear ** (1 / 2.2) * 255, np.uint8)
