"""What the tests of the body share: random weights, and the maps that a perfect network would answer for figures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2hand.detect.body.network import BodyNetwork
from s2hand.detect.body.skeleton import LIMBS, PART_COUNT
from s2hand.detect.openpose import STRIDE
from s2hand.detect.pyramid import Level, plan_level

HEAD = [(0, -0.86), (0, -0.68)]
RIGHT_ARM = [(-0.17, -0.66), (-0.3, -0.42), (-0.36, -0.16)]
LEFT_ARM = [(0.18, -0.67), (0.31, -0.5), (0.48, -0.66)]
RIGHT_LEG = [(-0.1, -0.12), (-0.12, 0.28), (-0.13, 0.66)]
LEFT_LEG = [(0.11, -0.11), (0.14, 0.27), (0.17, 0.65)]
EYES_AND_EARS = [(-0.04, -0.9), (0.045, -0.9), (-0.1, -0.87), (0.1, -0.88)]
FIGURE = np.array([*HEAD, *RIGHT_ARM, *LEFT_ARM, *RIGHT_LEG, *LEFT_LEG, *EYES_AND_EARS])
"""Someone who faces the camera, one hand up, in half heights around the middle; the right side is at our left."""

MIRRORED_PARTS = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
"""The part that each part is in a mirror."""

SPOT = 7 / 8  # cells: the published network was trained with Gaussians of 7 pixels
LIMB_WIDTH = 1.0  # cells


@pytest.fixture(scope="session")
def body_tensors(fill: Callable[..., dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The body network's tensors under their published names, filled as for the reference outputs."""
    return fill(BodyNetwork)


@pytest.fixture(scope="session")
def body_file(body_tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file as published, but of random numbers, in half precision to spare the disk."""
    path = tmp_path_factory.mktemp("weights") / "body_pose_model.pth"
    torch.save({name: tensor.half() for name, tensor in body_tensors.items()}, path)
    return path


@pytest.fixture(scope="session")
def painting() -> SimpleNamespace:
    """`figure`, `within` and `paint`, and the parts as a mirror swaps them."""
    return SimpleNamespace(figure=figure, within=within, paint=paint, mirrored_parts=MIRRORED_PARTS)


def figure(x: float, y: float, half_height: float, angle: float = 0.0, without: Sequence[int] = ()) -> NDArray:
    """Place the figure [18, 2] in an image: pixels, radians; parts in `without` are NaN."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = FIGURE @ turn.T * half_height + (x, y)
    points[list(without)] = np.nan
    return points


def within(points: NDArray, height: int, width: int) -> NDArray:
    """Make the parts outside of the image missing."""
    inside = np.all((points >= 0) & (points < (width, height)), axis=1)
    return np.where(inside[:, None], points, np.nan)


def paint(
    people: Sequence[NDArray],  # each [18, 2] pixels, continuous
    height: int,
    width: int,
    scales: Sequence[float] = (0.5,),
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[Level]]:
    """Paint heatmaps [19, h, w] and fields [38, h, w] per scale."""
    levels = [plan_level(height, width, scale) for scale in scales]
    drawn = [_paint_level([points * level.factor / STRIDE for points in people], *level.cells) for level in levels]
    return [maps for maps, _ in drawn], [fields for _, fields in drawn], levels


def _paint_level(people: Sequence[NDArray], height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    centres = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    maps = np.zeros((PART_COUNT + 1, height, width))
    fields = np.zeros((38, height, width))
    counts = np.zeros((38, height, width))
    for points in people:
        for part, point in enumerate(points):
            if not np.isnan(point).any():
                distance = ((centres - point) ** 2).sum(axis=-1)
                maps[part] = np.maximum(maps[part], np.exp(-distance / (2 * SPOT**2)))
        for start, end, channel in LIMBS:
            line = points[end] - points[start]
            length = np.hypot(*line)
            if length > 0:  # not NaN
                direction = line / length
                along = (centres - points[start]) @ direction
                beside = np.abs((centres - points[start]) @ (-direction[1], direction[0]))
                on = (along > -LIMB_WIDTH / 2) & (along < length + LIMB_WIDTH / 2) & (beside <= LIMB_WIDTH)
                fields[channel : channel + 2] += on * direction[:, None, None]
                counts[channel : channel + 2] += on
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return torch.from_numpy(maps).float(), torch.from_numpy(fields / np.maximum(counts, 1)).float()
