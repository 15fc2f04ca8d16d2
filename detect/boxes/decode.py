"""Maps of the finder's network to boxes: peaks, and of boxes that lie on one another the best."""

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
    scores: NDArray[np.float32]  # [N] in [0, 1]

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> "Found":
        """Return some of the boxes, in the order asked for."""
        return Found(self.boxes[chosen], self.scores[chosen])

    def first(self, most: int) -> "Found":
        """Return at most so many, the best."""
        return self.take(np.arange(len(self)) < most)


def join(parts: Sequence[Found]) -> Found:
    """Return the boxes of several, one after the other."""
    return Found(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def peaks(maps: Tensor, least: float, most: int) -> Found:  # [5, H, W]
    """Return the boxes at the peaks whose score is `least` or more, at most the `most` best."""
    score = maps[0].float().sigmoid()
    highest = F.max_pool2d(score[None], _PEAK, 1, _PEAK // 2)[0]
    width = score.shape[-1]
    scores, cells = (score * (score == highest)).flatten().topk(min(most, score.numel()))
    row, column = cells // width, cells % width
    shift, size = maps[1:3, row, column].T.float(), maps[3:, row, column].T.float()
    centres = torch.stack([column, row], 1) + 0.5 + shift
    boxes = torch.cat([centres, size.clamp(_SMALLEST, _LARGEST).exp()], 1) * STRIDE
    found = Found(boxes.cpu().numpy(), scores.cpu().numpy())
    return found.take(found.scores >= least)


def ranking(found: Found) -> NDArray[np.integer]:  # [N]
    """Return the order by score, the highest first; then from the top down, from left to right."""
    return np.lexsort((found.boxes[:, 0], found.boxes[:, 1], -found.scores))


def merge(found: Found) -> Found:
    """Keep one box per hand, the best; in the order of `ranking`."""
    found = found.take(ranking(found))
    same = are_same(found.boxes)
    kept: list[int] = []
    for index in range(len(found)):
        if not same[index, kept].any():
            kept.append(index)
    return found.take(np.array(kept, np.intp))


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
