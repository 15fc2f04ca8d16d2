"""From a crop of a hand to its codes, section 3.1 of the paper: geometry x = (theta 30, beta 10, s 1, R 3, T 3) from
the deep features, here, and texture y = (C, L) from an early map, see `s2hand.train.texture`.

The backbone is timm's EfficientNet-B0. Its deep features, pooled, give 50 numbers, or 47 with axis-angle, by
a linear layer that starts near zero, so that training begins with a mean hand in the middle of the crop:

- theta and beta directly;
- scale as its logarithm, so that s > 0 and starts at 1;
- R as two columns of a matrix ("six_d") that Gram-Schmidt makes a rotation (Zhou et al., "On the Continuity
  of Rotation Representations in Neural Networks", 2019), or as axis-angle. The code holds the rotation;
- T by where the crop shows the hand's anchor, its middle knuckle: its position in the crop, and its distance
  relative to the one at which a hand fills a typical crop (0.65 m for FreiHAND's K). K turns them to metres,
  so that the network needs to know no K, and zooming or shifting a crop changes what it predicts likewise.
"""

import math
from dataclasses import dataclass
from typing import cast

import timm
import torch
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual, SqueezeExcite
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.train.convolutions import quicken
from s2hand.train.integral import expected_places
from s2hand.train.pretrained import backbone_weights
from s2hand.train.rotations import axis_angle_to_matrix, matrix_to_axis_angle, six_d_to_matrix
from s2hand.train.settings import EncoderSettings
from s2hand.train.texture import TextureCode, TextureHead

BACKBONE = "efficientnet_b0"
FEATURES = 1280
_CHANNELS = (24, 40, 112, FEATURES)  # of the maps of `backbone_features`
POSE, SHAPE = 30, 10
HAND_LENGTH, FILL = 0.18, 0.6
"""A hand 0.18 m long that fills 0.6 of the crop's side: it stands where the network starts."""

LARGEST_SCALE, LARGEST_DISTANCE = 2.0, 8.0
"""Factors that scale and distance can reach from where they start, up or down: always finite."""

UPRIGHT = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
"""R with which training begins: fingers up (MANO's point along -x at rest), seen from the thumb's side, midway
between palm and back. From the hand's rest, fingers to the left, the first turn costs thousands of samples."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which the weights of timm expect


@dataclass(frozen=True)
class GeometryCode:
    """The paper's x for B hands. With the hand model, M = s M0 R + T; R turns about the wrist joint."""

    pose: Tensor  # [B, 30] theta, coefficients of the hand model's pose components
    shape: Tensor  # [B, 10] beta
    scale: Tensor  # [B, 1] s
    rotation: Tensor  # [B, 3, 3] R as a matrix for column vectors: smooth everywhere, unlike its three numbers
    translation: Tensor  # [B, 3] T, metres, camera

    def __post_init__(self) -> None:
        sizes = {"pose": [POSE], "shape": [SHAPE], "scale": [1], "rotation": [3, 3], "translation": [3]}
        for name, size in sizes.items():
            found, expected = list(getattr(self, name).shape), [self.pose.shape[0], *size]
            if found != expected:
                raise ValueError(f"GeometryCode.{name}: expected {expected}, found {found}")

    def vector(self) -> Tensor:
        """x as one vector [B, 47]: theta, beta, s, R as axis-angle, T. R's part carries no gradient."""
        rotation = matrix_to_axis_angle(self.rotation.detach())
        return torch.cat([self.pose, self.shape, self.scale, rotation, self.translation], dim=1)


@dataclass(frozen=True)
class Encoded:
    """What the encoder says of B crops."""

    code: GeometryCode
    texture: TextureCode
    heatmaps: Tensor | None  # [B, 21, h, w] where in the crop it sees the joints, if it was asked to point


@dataclass(frozen=True)
class Anchor:
    """Two points of the hand model at rest, metres: the wrist, about which R turns, and the middle knuckle."""

    wrist: Tensor  # [3]
    knuckle: Tensor  # [3]


class Encoder(nn.Module):
    """EfficientNet-B0 and a linear layer: images [B, 3, S, S] in [0, 1] and K [B, 3, 3] to the codes."""

    mean: Tensor
    std: Tensor
    wrist: Tensor
    knuckle: Tensor

    def __init__(self, settings: EncoderSettings, anchor: Anchor) -> None:
        super().__init__()
        self.backbone = cast(EfficientNet, timm.create_model(BACKBONE, num_classes=0, global_pool=""))
        weights = backbone_weights(settings.pretrained)
        if weights is None:
            _start_shallow(self.backbone)
        else:
            known = {key: value for key, value in weights.items() if not key.startswith("classifier.")}
            self.backbone.load_state_dict(known)
        quicken(self.backbone)
        self.six_d = settings.rotation == "six_d"
        self.pool = nn.AdaptiveAvgPool2d(settings.grid)
        self.squeeze = nn.Identity() if settings.grid == 1 else _squeeze(settings.grid)
        width = FEATURES if settings.grid == 1 else SQUEEZED * settings.grid**2
        self.points = JointPoints() if settings.points else None
        width += 2 * JOINT_COUNT if settings.points else 0
        self.hidden: nn.Module = nn.Identity()
        if settings.hidden:
            self.hidden = nn.Sequential(nn.Linear(width, settings.hidden), nn.SiLU())
            width = settings.hidden
        self.widths = (POSE, SHAPE, 1, 6 if self.six_d else 3, 3)
        self.head = _start_small(nn.Linear(width, sum(self.widths)), self.six_d)
        self.texture = TextureHead(_CHANNELS[0])
        constants = {"mean": _MEAN, "std": _STD}
        for name, value in constants.items():
            self.register_buffer(name, torch.tensor(value).view(3, 1, 1), persistent=False)
        self.register_buffer("wrist", anchor.wrist.clone(), persistent=False)
        self.register_buffer("knuckle", anchor.knuckle.clone(), persistent=False)

    def forward(self, images: Tensor, K: Tensor) -> Encoded:
        """Encode crops: images [B, 3, S, S] RGB in [0, 1], K [B, 3, 3] of the crops in pixels."""
        maps = backbone_features(self.backbone, (images - self.mean) / self.std)
        features, heatmaps = self.squeeze(self.pool(maps[-1])).flatten(1), None
        if self.points is not None:
            heatmaps = self.points(*maps)
            features = torch.cat([features, 2 * expected_places(heatmaps).flatten(1) - 1], dim=1)
        numbers, texture = self.head(self.hidden(features)), self.texture(maps[0])
        with torch.autocast(images.device.type, enabled=False):
            return Encoded(self._code(numbers.float(), K, images.shape[-1]), texture, heatmaps)

    def _code(self, numbers: Tensor, K: Tensor, size: int) -> GeometryCode:
        pose, shape, log_scale, turn, place = torch.split(numbers, list(self.widths), dim=1)
        rotation = six_d_to_matrix(turn) if self.six_d else axis_angle_to_matrix(turn)
        scale = bounded(log_scale, LARGEST_SCALE)
        target = back_project(place, K, size)
        # The knuckle at rest is at s (R (knuckle - wrist) + wrist) + T.
        arm = scale * (rotation @ (self.knuckle - self.wrist) + self.wrist)
        return GeometryCode(pose, shape, scale, rotation, target - arm)


def backbone_features(backbone: EfficientNet, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The features of EfficientNet-B0 at a 4th, an 8th, a 16th and a 32nd of the images' size."""
    x, maps = backbone.bn1(backbone.conv_stem(images)), []
    for block in backbone.blocks:
        x = block(x)
        maps.append(x)
    return maps[1], maps[2], maps[4], backbone.bn2(backbone.conv_head(x))


class JointPoints(nn.Module):
    """The backbone's features to a heatmap of each joint, a quarter of the image's size."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_normed(channels, POINT_WIDTH, 1) for channels in _CHANNELS)
        self.mix = nn.Sequential(nn.SiLU(), _normed(POINT_WIDTH, POINT_WIDTH, 3), nn.SiLU())
        self.maps = nn.Conv2d(POINT_WIDTH, JOINT_COUNT, 1)

    def forward(self, *features: Tensor) -> Tensor:
        """Features [B, C, h, w], the largest first, to heatmaps [B, 21, h, w] of the first one's size."""
        height, width = features[0].shape[-2:]
        total = self.levels[0](features[0])
        for level, coarse in zip(list(self.levels)[1:], features[1:], strict=True):
            total = total + nn.functional.interpolate(level(coarse), (height, width), mode="nearest")
        heatmaps: Tensor = self.maps(self.mix(total))
        return heatmaps


def _normed(inputs: int, outputs: int, size: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs))


POINT_WIDTH = 48
"""Channels of the features from which joints are pointed at."""

SQUEEZED = 128
"""Channels of the deep features that are pooled to more than one cell."""


def _squeeze(grid: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(FEATURES, SQUEEZED, 1, bias=False), nn.BatchNorm2d(SQUEEZED), nn.SiLU())


_OPEN = 3.0
"""Bias of a gate whose sigmoid leaves it 95 % open, whatever it sees."""


def _start_shallow(backbone: nn.Module) -> None:
    """Let fresh weights begin as a network of few layers: it learns in hundreds of steps what else takes thousands.

    Residual blocks begin as the identity (the scale of their last normalisation is 0: Goyal et al., "Accurate,
    Large Minibatch SGD", 2017, section 5.1), and channel gates open, whatever they see.
    """
    for module in backbone.modules():
        if isinstance(module, InvertedResidual | DepthwiseSeparableConv) and module.has_skip:
            last = module.bn3 if isinstance(module, InvertedResidual) else module.bn2
            nn.init.zeros_(last.weight)
        elif isinstance(module, SqueezeExcite):
            nn.init.zeros_(module.conv_expand.weight)
            nn.init.constant_(module.get_parameter("conv_expand.bias"), _OPEN)


def _start_small(layer: nn.Linear, six_d: bool) -> nn.Linear:
    """Start near the mean hand: small weights, no bias but R's, which begins as `UPRIGHT`."""
    start = POSE + SHAPE + 1
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()
        turn = torch.tensor(UPRIGHT)
        numbers = turn[:, :2].T.flatten() if six_d else matrix_to_axis_angle(turn.unsqueeze(0))[0]
        layer.bias[start : start + len(numbers)] = numbers
    return layer


def bounded(logarithm: Tensor, largest: float) -> Tensor:
    """A factor between 1 / largest and largest: near the exponential of a small logarithm, flat far out."""
    limit = math.log(largest)
    return (limit * torch.tanh(logarithm / limit)).exp()


def back_project(place: Tensor, K: Tensor, size: int) -> Tensor:
    """Points [B, 3] in camera space, metres, of places in a `size` x `size` crop with cameras K [B, 3, 3].

    place [B, 3] is x, y from the crop's centre in units of half its side, and the logarithm of the distance
    relative to the one at which a hand of `HAND_LENGTH` fills the share `FILL` of the crop.
    """
    u, v = ((place[:, :2] + 1) * (size / 2)).unbind(1)
    focal = (K[:, 0, 0] * K[:, 1, 1]).sqrt()
    z = focal * (HAND_LENGTH / (FILL * size)) * bounded(place[:, 2], LARGEST_DISTANCE)
    y = (v - K[:, 1, 2]) / K[:, 1, 1]
    x = (u - K[:, 0, 2] - K[:, 0, 1] * y) / K[:, 0, 0]
    return torch.stack([x * z, y * z, z], dim=1)
