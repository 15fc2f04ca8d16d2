"""Skin tones across the human range, in CIELAB, as RGB.

Human skin lies on a narrow, banana-shaped surface in CIELAB: lightness falls with melanin, from about 73 to 25; the
yellow-blue axis b* first rises with melanin, then falls again; redness a* follows the blood. The individual typology
angle, ITA = atan((L* - 50) / b*), orders tones from very light (above 55 degrees) to dark (below -30 degrees); the
ranges are those commonly reported for the back of the hand and the inner forearm.
"""

from dataclasses import dataclass

import numpy as np

from s2hand.pipeline.synthetic.noise import Floats

_LAB_WHITE = np.array([0.95047, 1.0, 1.08883])
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)  # sRGB primaries, D65


@dataclass(frozen=True)
class SkinTone:
    """One person's skin: CIELAB of the back of the hand, its linear RGB, and how dark it is (melanin, 0 to 1)."""

    melanin: float
    lab: tuple[float, float, float]
    rgb: Floats  # [3] linear, 0..1

    @property
    def ita(self) -> float:
        """Individual typology angle in degrees."""
        return float(np.degrees(np.arctan2(self.lab[0] - 50, self.lab[2])))


def sample_tone(rng: np.random.Generator) -> SkinTone:
    """A skin tone; all classes of the typology angle are frequent."""
    melanin = float(rng.uniform(0, 1) ** 1.25)
    lightness = 76 - 50 * melanin**0.95 + rng.normal(0, 1.8)
    yellow = 10 + 14 * np.sin(np.pi * (0.05 + 0.85 * melanin)) + rng.normal(0, 1.6)
    red = 8.5 + 6 * np.sin(np.pi * min(1.0, melanin * 0.9)) + rng.normal(0, 1.8)
    lab = (float(np.clip(lightness, 22, 79)), float(max(red, 3)), float(max(yellow, 5)))
    return SkinTone(melanin, lab, lab_to_linear(np.array(lab)))


def lab_to_linear(lab: Floats) -> Floats:
    """CIELAB [..., 3] (D65) to linear sRGB in [0, 1], [..., 3]."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _LAB_WHITE
    return np.asarray(np.clip(xyz @ _XYZ_TO_RGB.T, 0.002, 1), np.float32)


def skin_bytes(rng: np.random.Generator) -> tuple[int, int, int]:
    """An sRGB colour of some person's skin under some light, 0..255."""
    linear = sample_tone(rng).rgb * rng.uniform(0.5, 1.3) * np.exp(rng.normal(0, 0.08, 3))
    r, g, b = (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(int)
    return int(r), int(g), int(b)
