"""Heatmaps of the slim network to keypoints: the strongest place, found to a fraction of a cell, and how sure it is.

The belief of a joint can have two humps, one per finger that it could be. The mean of all of it would lie between
the fingers; so the window with the most belief is found first, and the mean is taken inside it only.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

WINDOW = 5
"""Side of the window around the strongest place, cells; odd."""


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


def decode(logits: Tensor) -> tuple[Tensor, Tensor]:  # [B, J, S, S] -> [B, J, 2], [B, J]
    """Return each joint's place in units of the heatmap's side, (x, y) in [0, 1], and the belief in it, in [0, 1].

    Cell i covers [i, i + 1) / S and counts with its centre, (i + 0.5) / S. The belief is what the softmax gives to
    the WINDOW x WINDOW cells that hold most of it.
    """
    batch, joints, side, _ = logits.shape
    belief = logits.float().flatten(2).softmax(-1).view(batch, joints, side, side)
    sums = F.avg_pool2d(belief, WINDOW, stride=1, padding=WINDOW // 2, divisor_override=1)
    mass, cell = sums.flatten(2).max(-1)
    row, column = cell // side, cell % side
    index = torch.arange(side, device=logits.device)
    near_y = (index - row[..., None]).abs() <= WINDOW // 2  # [B, J, S]
    near_x = (index - column[..., None]).abs() <= WINDOW // 2
    inside = belief * near_y[..., :, None] * near_x[..., None, :]
    centre = (index + 0.5) / side
    x = (inside.sum(2) * centre).sum(-1)
    y = (inside.sum(3) * centre).sum(-1)
    return torch.stack([x, y], -1) / mass[..., None], mass.clamp(max=1)
