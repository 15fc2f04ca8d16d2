"""Maps of the finder's network to boxes: peaks, and of boxes that lie on one another the best.

A hand of which the network can't tell the side has a peak in both maps. It is found once, as the side with the higher
score; the scores p and q make one, 1 - (1 - p)(1 - q).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.boxes.network import STRIDE

SAME_OVERLAP = 0.45
"""Two boxes are of one hand if the area that they share is this part of what they cover together."""

SAME_DISTANCE = 0.25
"""They also are if their centres are nearer than this part of the smaller one's longer side and their sizes alike."""

_ALIKE = 1.6  # ratio of longer sides
_PEAK = 3  # cells: a peak is the highest in a square of this side
_SMALLEST, _LARGEST = -2.0, 6.0  # logarithms of a box's sides in cells


@dataclass(frozen=True, eq=False)
class Found:
    """Boxes, the best first."""

    boxes: NDArray[np.float32]  # [N, 4] centre x, y, width, height, pixels of the picture
    sides: NDArray[np.int64]  # [N] 0 right, 1 left
    scores: NDArray[np.float32]  # [N] in [0, 1]

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> "Found":
        """Return some of the boxes, in the order asked for."""
        return Found(self.boxes[chosen], self.sides[chosen], self.scores[chosen])

    def first(self, most: int) -> "Found":
        """Return at most so many, the best."""
        return self.take(np.arange(len(self)) < most)


def join(parts: Sequence[Found]) -> Found:
    """Return the boxes of several, one after the other."""
    return Found(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.sides for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def peaks(maps: Tensor, least: float, most: int) -> Found:  # [2, 5, H, W]
    """Return the boxes at the peaks of both maps whose score is `least` or more, at most the `most` best."""
    score = maps[:, 0].float().sigmoid()
    highest = F.max_pool2d(score[:, None], _PEAK, 1, _PEAK // 2)[:, 0]
    height, width = score.shape[-2:]
    scores, cells = (score * (score == highest)).flatten().topk(min(most, score.numel()))
    side = cells // (height * width)
    row, column = cells % (height * width) // width, cells % width
    shift, size = maps[side, 1:3, row, column].float(), maps[side, 3:, row, column].float()
    centres = torch.stack([column, row], 1) + 0.5 + shift
    boxes = torch.cat([centres, size.clamp(_SMALLEST, _LARGEST).exp()], 1) * STRIDE
    found = Found(boxes.cpu().numpy(), side.cpu().numpy(), scores.cpu().numpy())
    return in_order(found.take(found.scores >= least))


def in_order(found: Found) -> Found:
    """Sort by score, the highest first; then from the top down, from left to right, right hands first."""
    keys = (found.sides, found.boxes[:, 0], found.boxes[:, 1], -found.scores)
    return found.take(np.lexsort(keys))


def merge(found: Found) -> Found:
    """Keep one box per hand, the best; the other side's score for the same hand adds to it."""
    found = in_order(found)
    same = are_same(found.boxes)
    left = np.ones(len(found), bool)
    kept: list[int] = []
    scores: list[float] = []
    for index in range(len(found)):
        if not left[index]:
            continue
        group = same[index] & left
        left &= ~group
        others = found.scores[group & (found.sides != found.sides[index])]
        missed = (1 - found.scores[index]) * (1 - others.max(initial=0))
        kept.append(index)
        scores.append(float(1 - missed))
    best = found.take(np.array(kept, np.intp))
    return in_order(Found(best.boxes, best.sides, np.array(scores, np.float32)))


def are_same(boxes: NDArray[np.floating]) -> NDArray[np.bool_]:  # [N, 4] -> [N, N]
    """Tell which boxes are of one hand."""
    longer = boxes[:, 2:].max(1, initial=0)
    ratio = np.maximum(longer[:, None], longer) / np.maximum(np.minimum(longer[:, None], longer), 1e-6)
    distance = np.linalg.norm(boxes[:, None, :2] - boxes[None, :, :2], axis=-1)
    near = (distance < SAME_DISTANCE * np.minimum(longer[:, None], longer)) & (ratio < _ALIKE)
    same: NDArray[np.bool_] = (overlaps(boxes, boxes) > SAME_OVERLAP) | near
    return same


def overlaps(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:  # [N, 4], [M, 4] -> [N, M]
    """Return the area that two boxes share over the area that they cover together (IoU)."""
    low = np.maximum(a[:, None, :2] - a[:, None, 2:] / 2, b[:, :2] - b[:, 2:] / 2)
    high = np.minimum(a[:, None, :2] + a[:, None, 2:] / 2, b[:, :2] + b[:, 2:] / 2)
    shared = np.clip(high - low, 0, None).prod(-1)
    together = a[:, 2:].prod(-1)[:, None] + b[:, 2:].prod(-1) - shared
    ratio: NDArray[np.floating] = shared / np.maximum(together, 1e-9)
    return ratio
