"""Heatmaps of the slim network to keypoints: places found to a fraction of a cell, and how sure they are.

The belief of a joint can have several humps, one per finger that it could be. The mean of all of it would lie between
the fingers; so the humps are found first, and the mean is taken inside a window around each. Which hump a joint takes
is decided for the whole hand: the strongest ones, unless a finger would be torn apart.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.skeleton import BONE_LENGTHS, BONES

WINDOW = 5
"""Side of the window around a place, cells; odd."""

CANDIDATES = 8
"""Places that a joint may choose from."""

SLACK = 1.15
"""How much longer than average a bone may be for nothing."""

STRETCH = 4.0
"""How strongly bones resist being longer than that."""

_SMALL = 1e-4  # belief of a place that nothing speaks for
_KNUCKLES = [5, 9, 13, 17]
_LEAST_SHARE = 0.31


@dataclass(frozen=True)
class Calibration:
    """A rising, piecewise linear map from the belief in a window to a confidence, both in [0, 1].

    The confidence says how often a joint with such a belief was within a tenth of the hand's size, on photographs
    that training did not see.
    """

    belief: tuple[float, ...]
    confidence: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.belief) != len(self.confidence) or len(self.belief) < 2:
            raise ValueError(
                f"Calibration: expected as many beliefs as confidences, at least 2, "
                f"found {len(self.belief)} and {len(self.confidence)}"
            )
        for name, values in (("belief", self.belief), ("confidence", self.confidence)):
            if list(values) != sorted(values) or values[0] < 0 or values[-1] > 1:
                raise ValueError(f"Calibration.{name}: expected rising values in [0, 1], found {values}")

    def __call__(self, belief: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map beliefs of any shape to confidences."""
        confidence: NDArray[np.float32] = np.interp(belief, self.belief, self.confidence).astype(np.float32)
        return confidence


def decode(logits: Tensor) -> tuple[Tensor, Tensor]:  # [B, 21, S, S] -> [B, 21, 2], [B, 21]
    """Return each joint's place in units of the heatmap's side, (x, y) in [0, 1], and the belief in it, in [0, 1].

    Cell i covers [i, i + 1) / S and counts with its centre, (i + 0.5) / S. The belief is what the softmax gives to the
    window around the place. Of the places that a joint could have, those are chosen whose beliefs are high and
    whose fingers hold together: see `choose_places`.
    """
    places, beliefs = candidates(logits)
    chosen = choose_places(places, beliefs)
    best = places.gather(2, chosen[..., None, None].expand(-1, -1, 1, 2))[:, :, 0]
    return best, beliefs.gather(2, chosen[..., None])[..., 0].clamp(max=1)


def candidates(logits: Tensor) -> tuple[Tensor, Tensor]:  # [B, J, S, S] -> [B, J, CANDIDATES, 2], [B, J, CANDIDATES]
    """Return the places that hold most belief within a window, the strongest first, and that belief.

    A place is the mean inside the window around it, in units of the heatmap's side.
    """
    side = logits.shape[-1]
    belief = logits.float().flatten(2).softmax(-1).view(logits.shape)
    index = torch.arange(side, device=logits.device)
    centre = (index + 0.5) / side
    # Sums over windows are products with a band matrix, far faster than pooling.
    band = ((index[:, None] - index).abs() <= WINDOW // 2).float()
    rows = band @ belief
    mass = rows @ band
    x, y = rows @ (centre[:, None] * band), (band * centre) @ belief @ band
    peaks = mass * (mass == _window_maxima(mass))
    beliefs, cells = peaks.flatten(2).topk(CANDIDATES, -1)
    sums = torch.stack([part.flatten(2).gather(2, cells) for part in (x, y, mass)], -1)
    return sums[..., :2] / sums[..., 2:].clamp(min=1e-12), beliefs


def choose_places(places: Tensor, beliefs: Tensor) -> Tensor:  # [B, 21, C, 2], [B, 21, C] -> [B, 21]
    """Return which candidate each joint takes, so that the fingers hold together.

    It is the choice with the largest sum of log beliefs less STRETCH * (d / longest - 1)^2 for each bone that is
    longer than it can be: a bone may look shorter than it is, but not longer. The skeleton is a tree, so the best
    choice is found exactly, from the fingertips to the wrist and back (dynamic programming).
    """
    scores = list(torch.log(beliefs + _SMALL).unbind(1))
    longest = _hand_scale(places) * SLACK
    choices: dict[int, Tensor] = {}
    for parent, joint in reversed(BONES):
        distance = torch.cdist(places[:, parent], places[:, joint])  # [B, C of the parent, C of the joint]
        excess = (distance / (longest * BONE_LENGTHS[joint]) - 1).clamp(min=0)
        total, choices[joint] = (scores[joint][:, None] - STRETCH * excess**2).max(-1)
        scores[parent] = scores[parent] + total
    chosen = [scores[0].argmax(-1)]
    for parent, joint in BONES:
        chosen.append(choices[joint].gather(1, chosen[parent][:, None])[:, 0])
    return torch.stack(chosen, 1)


def _hand_scale(places: Tensor) -> Tensor:  # [B, 21, C, 2] -> [B, 1, 1]
    """Estimate the unit of BONE_LENGTHS in the picture, from the strongest places."""
    strongest = places[:, :, 0]
    palm = torch.tensor([BONE_LENGTHS[joint] for joint in _KNUCKLES], device=places.device)
    lengths = (strongest[:, _KNUCKLES] - strongest[:, :1]).norm(dim=-1) / palm
    spread = (strongest.amax(1) - strongest.amin(1)).amax(-1)
    # A palm seen edge-on looks short; no hand is spread wider than twice its fist.
    return torch.maximum(lengths.median(-1).values, spread * _LEAST_SHARE)[:, None, None]


def _window_maxima(x: Tensor) -> Tensor:  # [B, J, S, S], nothing negative -> the same
    side = x.shape[-1]
    padded = F.pad(x, (WINDOW // 2,) * 4)
    for dim in (2, 3):
        shifted = [padded.narrow(dim, offset, side) for offset in range(WINDOW)]
        padded = functools.reduce(torch.maximum, shifted)
    return padded
