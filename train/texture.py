"""The texture code y = (C, L) of the paper: a colour for each vertex of the hand, and the light it stands in.

From an early feature map, where colours still are what they were. Training begins with the skin of the authors'
code, (200, 150, 150) of 256, lit from the camera.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2hand.train.hand_files import VERTICES

LIGHTS = 11
MEAN_SKIN = (200 / 256, 150 / 256, 150 / 256)
FIRST_LIGHT = (0.6, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)
"""Ambient and directional intensity, their colours, and the direction: away from the camera."""

_CELLS, _WIDTH, _HIDDEN = 4, 32, 128


@dataclass(frozen=True)
class TextureCode:
    """The paper's y for B hands."""

    colors: Tensor  # [B, 778, 3] RGB in (0, 1), unlit
    lights: Tensor  # [B, 11] as `s2hand.train.render` takes them

    def __post_init__(self) -> None:
        sizes = {"colors": [VERTICES, 3], "lights": [LIGHTS]}
        for name, size in sizes.items():
            found, expected = list(getattr(self, name).shape), [self.lights.shape[0], *size]
            if found != expected:
                raise ValueError(f"TextureCode.{name}: expected {expected}, found {found}")


class TextureHead(nn.Module):
    """An early feature map [B, channels, h, w] to a `TextureCode`."""

    first_light: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, _WIDTH, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(_CELLS),
            nn.Flatten(),
            nn.Linear(_WIDTH * _CELLS**2, _HIDDEN),
            nn.SiLU(),
        )
        self.code = nn.Linear(_HIDDEN, 3 * VERTICES + LIGHTS)
        with torch.no_grad():
            self.code.weight.mul_(0.1)
            self.code.bias.zero_()
            skin = torch.tensor([math.log(share / (1 - share)) for share in MEAN_SKIN])
            self.code.bias[: 3 * VERTICES] = skin.repeat(VERTICES)
        self.register_buffer("first_light", torch.tensor(FIRST_LIGHT), persistent=False)

    def forward(self, features: Tensor) -> TextureCode:
        """The texture code, float32 under autocast too."""
        numbers = self.code(self.layers(features)).float()
        colors, lights = numbers[:, : 3 * VERTICES], numbers[:, 3 * VERTICES :]
        return TextureCode(colors.sigmoid().view(-1, VERTICES, 3), self.first_light + lights)
