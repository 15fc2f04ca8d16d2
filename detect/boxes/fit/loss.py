"""What training of the finder minimises: where hands are, and their boxes there.

The heatmaps learn as in CenterNet (Zhou, Wang and Kraehenbuehl 2019, equation 1): a focal loss whose penalty is small
beside a hand's centre. The boxes learn at all cells near a centre, weighted by that nearness.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from s2hand.detect.boxes.fit.compose import Scene
from s2hand.detect.boxes.network import STRIDE

_SPREAD = 0.11  # width of the nearness in units of the box's sides
_LEAST_SPREAD = 0.6  # cells
_NEAR = 0.3  # boxes learn from this nearness on
_FOCUS, _FORGIVE = 2.0, 4.0  # alpha and beta of the focal loss


@dataclass(frozen=True, eq=False)
class Targets:
    """What the maps of B scenes should be."""

    nearness: Tensor  # [B, H, W] 1 in the cell of a hand's centre, falling to 0 around
    counts: Tensor  # [B, H, W] 1 where a cell teaches, 0 at hidden hands
    boxes: Tensor  # [B, 4, H, W] centre x, y (cells, of the map), width, height (cells) of the nearest hand
    weight: Tensor  # [B, H, W] of the box


def make_targets(scenes: Sequence[Scene]) -> Targets:
    """Draw the targets of scenes of one size."""
    side = scenes[0].image.shape[0] // STRIDE
    nearness = np.zeros((len(scenes), side, side), np.float32)
    counts = np.ones_like(nearness)
    boxes = np.ones((len(scenes), 4, side, side), np.float32)
    centre = np.arange(side, dtype=np.float32) + 0.5
    for number, scene in enumerate(scenes):
        for box in scene.ignored / STRIDE:
            inside = [np.abs(centre - box[k]) < box[2 + k] / 2 for k in (0, 1)]
            counts[number, inside[1][:, None] & inside[0]] = 0
        for box in scene.boxes / STRIDE:
            spread = np.maximum(box[2:] * _SPREAD, _LEAST_SPREAD)
            along = [np.exp(-0.5 * ((centre - box[k]) / spread[k]) ** 2) for k in (0, 1)]
            bump = along[1][:, None] * along[0]
            column, row = np.minimum(box[:2].astype(int), side - 1)
            bump[row, column] = 1
            nearer = bump > nearness[number]
            nearness[number][nearer] = bump[nearer]
            boxes[number][:, nearer] = box[:, None]
    counts[nearness == 1] = 1
    weight = nearness * (nearness > _NEAR)
    return Targets(*(torch.from_numpy(array) for array in (nearness, counts, boxes, weight)))


def centre_loss(logits: Tensor, targets: Targets) -> Tensor:  # [B, H, W] -> [B, H, W]
    """Return the focal loss of each cell."""
    sure, unsure = F.logsigmoid(logits), F.logsigmoid(-logits)
    hit = (1 - sure.exp()) ** _FOCUS * sure
    miss = (1 - targets.nearness) ** _FORGIVE * sure.exp() ** _FOCUS * unsure
    return -torch.where(targets.nearness == 1, hit, miss) * targets.counts


def box_loss(maps: Tensor, targets: Targets) -> Tensor:  # [B, 4, H, W] -> [B, H, W]
    """Return the L1 error of each cell's box, weighted: of its centre in units of its size, of the logarithms of its
    sides."""
    side = maps.shape[-1]
    cell = torch.arange(side, device=maps.device) + 0.5
    grid = torch.stack(torch.meshgrid(cell, cell, indexing="xy"))
    size = targets.boxes[:, 2:]
    shift = (maps[:, :2] + grid - targets.boxes[:, :2]) / size
    error = torch.cat([2 * shift, maps[:, 2:] - size.log()], 1).abs().mean(1)
    return error * targets.weight


def scene_loss(maps: Tensor, targets: Targets, box_weight: float) -> Tensor:  # [B, 5, H, W] -> scalar
    """Return the mean loss per hand."""
    maps = maps.float()
    hands = (targets.nearness == 1).sum().clamp(min=1)
    centres = centre_loss(maps[:, 0], targets).sum() / hands
    boxes = box_loss(maps[:, 1:], targets).sum() / targets.weight.sum().clamp(min=1)
    return centres + box_weight * boxes
