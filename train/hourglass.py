"""The 2D branch: a stacked hourglass with integral regression, from a crop to 21 independent joints.

Newell, Yang, Deng, "Stacked Hourglass Networks for Human Pose Estimation" (2016), for the network; Sun et al.,
"Integral Human Pose Regression" (2018), for joints as expected places under a softmax. It is used in training only
(section 3.3 of the paper): each stack gives joints, and each is supervised.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.train.convolutions import quicken
from s2hand.train.integral import expected_places
from s2hand.train.settings import HourglassSettings


@dataclass(frozen=True)
class Pointed:
    """What a stack says of B crops."""

    heatmaps: Tensor  # [B, 21, h, w]
    joints: Tensor  # [B, 21, 2] their expected places, in pixels of the crop


class HourglassBranch(nn.Module):
    """Images [B, 3, S, S] in [0, 1] to where each stack sees the joints in them."""

    def __init__(self, settings: HourglassSettings) -> None:
        super().__init__()
        width = settings.features
        self.image_size = settings.image_size
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 4, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width // 4),
            nn.ReLU(),
            Residual(width // 4, width // 2),
            nn.MaxPool2d(2),
            Residual(width // 2, width),
        )
        count = settings.stacks
        self.stacks = nn.ModuleList(Stack(width, settings.depth, last=i == count - 1) for i in range(count))
        quicken(self)

    def forward(self, images: Tensor) -> tuple[Pointed, ...]:
        """What each stack sees, the best last; joints in float32 under autocast too."""
        side = images.shape[-1]
        if side != self.image_size:
            size = (self.image_size, self.image_size)
            images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=False)
        features = self.stem(images - 0.5)
        seen = []
        for stack in self.stacks:
            heatmaps, features = stack(features)
            seen.append(Pointed(heatmaps, expected_places(heatmaps) * side))
        return tuple(seen)


class Residual(nn.Module):
    """A bottleneck with normalisation first: 1 x 1, 3 x 3, 1 x 1, around a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = max(outputs // 2, 1)
        self.body = nn.Sequential(
            *(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, inner, 1, bias=False)),
            *(nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, inner, 3, padding=1, bias=False)),
            *(nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, outputs, 1)),
        )
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, h, w]."""
        out: Tensor = self.shortcut(x) + self.body(x)
        return out


class Hourglass(nn.Module):
    """Down `depth` times and up again, with a shortcut at each size."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.across = Residual(width, width)
        self.down = nn.Sequential(nn.MaxPool2d(2), Residual(width, width))
        self.inner = Hourglass(width, depth - 1) if depth > 1 else Residual(width, width)
        self.up = Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, h, w], the same size out."""
        coarse = self.up(self.inner(self.down(x)))
        out: Tensor = self.across(x) + F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return out


class Stack(nn.Module):
    """One hourglass, its heatmaps, and the features for the next one, of which the last needs none."""

    def __init__(self, width: int, depth: int, last: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Hourglass(width, depth),
            Residual(width, width),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.heatmaps = nn.Conv2d(width, JOINT_COUNT, 1)
        self.next = None if last else nn.Conv2d(width + JOINT_COUNT, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, width, h, w] to heatmaps [B, 21, h, w] and the next stack's features."""
        features = self.features(x)
        heatmaps = self.heatmaps(features)
        return heatmaps, x if self.next is None else x + self.next(torch.cat([features, heatmaps], dim=1))
