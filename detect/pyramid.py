"""Images to the inputs of the OpenPose network: one batch per scale.

At scale s the image is resized by s * 368 / height (cubic, both axes by the same factor), padded on the right
and at the bottom to whole cells of the network with grey 128, and handed over as value / 256 - 0.5, so that
the padding is 0. These are the steps of pytorch-openpose's hand estimation; the reference inputs in
tests/detect/reference come from it. Photographs of different sizes go into one batch if their padded sizes agree.

On a GPU the resize is done there (`device_pyramid`); here, by OpenCV.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.openpose import STRIDE

BOX = 368  # height in pixels of the network's input at scale 1
PAD = 128
LONGEST_INPUT = 16_384  # pixels; a longer side would take gigabytes per layer


@dataclass(frozen=True)
class Level:
    """The sizes of one scale of the pyramid for images of one size, in pixels."""

    image: tuple[int, int]  # height, width
    factor: float
    resized: tuple[int, int]
    padded: tuple[int, int]

    def __post_init__(self) -> None:
        if max(self.padded) > LONGEST_INPUT:
            raise ValueError(
                f"image of {self.image[1]} x {self.image[0]} pixels: expected at most {LONGEST_INPUT} pixels "
                f"after the resize by {self.factor:.3g}, found {max(self.padded)}; crop it to the hand"
            )

    @property
    def cells(self) -> tuple[int, int]:
        """Height and width of the network's output."""
        return self.padded[0] // STRIDE, self.padded[1] // STRIDE


Plan = tuple[Level, ...]  # the levels of one size of image, a scale each


def plan_level(height: int, width: int, scale: float) -> Level:
    """Plan the input of one scale; sizes round half to even, and are never below one pixel."""
    factor = scale * BOX / height
    resized = (max(1, round(height * factor)), max(1, round(width * factor)))
    padded = tuple(-(-side // STRIDE) * STRIDE for side in resized)
    return Level((height, width), factor, resized, (padded[0], padded[1]))


def plan_levels(height: int, width: int, scales: Sequence[float]) -> Plan:
    """Plan the inputs of all scales for images of one size."""
    return tuple(plan_level(height, width, scale) for scale in scales)


def runs(plans: Sequence[Plan]) -> Iterator[tuple[slice, Plan]]:
    """Yield the stretches of images of one size in a batch, with their plan."""
    first = 0
    for plan, members in groupby(plans):
        last = first + len(list(members))
        yield slice(first, last), plan
        first = last


def network_inputs(
    images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB
    plans: Sequence[Plan],  # one per image; their padded sizes agree
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Tensor]:  # per scale as `network_input`
    """Resize, pad and scale a batch for scale after scale."""
    for scale in range(len(plans[0])):
        parts = [level_images([image], plan[scale]) for image, plan in zip(images, plans, strict=True)]
        yield network_input(parts[0] if len(parts) == 1 else np.concatenate(parts), device, dtype)


def level_images(
    images: Sequence[NDArray[np.uint8]],  # each [H, W, 3], any channel order
    level: Level,
) -> NDArray[np.uint8]:  # [B, H', W', 3], H' and W' the padded size
    """Resize and pad images of one size for one scale."""
    height, width = level.resized
    batch = np.full((len(images), *level.padded, 3), PAD, np.uint8)
    for target, image in zip(batch, images, strict=True):
        target[:height, :width] = _resize(image, level)
    return batch


def network_input(
    batch: NDArray[np.uint8],  # [B, H', W', 3] RGB
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Tensor:  # [B, 3, H', W'] BGR in [-0.5, 0.5), channels last in memory
    """Move a level to the device and scale it there; bfloat16 holds these values exactly."""
    rows = cv2.cvtColor(batch.reshape(-1, batch.shape[2], 3), cv2.COLOR_RGB2BGR)
    blue_first = torch.from_numpy(rows.reshape(batch.shape)).to(device).permute(0, 3, 1, 2)
    return blue_first.to(dtype).sub_(PAD).div_(256)


def _resize(image: NDArray[np.uint8], level: Level) -> NDArray[np.uint8]:
    height, width = level.resized
    if round(image.shape[1] * level.factor) < 1:  # too narrow for a resize by factor
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    else:  # by factor, not to a size: the sampling grid follows the exact factor, as in the original
        factor = level.factor
        resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return resized.astype(np.uint8, copy=False)
