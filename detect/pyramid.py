"""Images to the inputs of the OpenPose network: one batch per scale.

At scale s the image is resized by s * 368 / height (cubic, both axes by the same factor), padded on the right
and at the bottom to whole cells of the network with grey 128, and handed over as value / 256 - 0.5, so that
the padding is 0. These are the steps of pytorch-openpose's hand estimation; the reference inputs in
tests/detect/reference come from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


def plan_level(height: int, width: int, scale: float) -> Level:
    """Plan the input of one scale; sizes round half to even, and are never below one pixel."""
    factor = scale * BOX / height
    resized = (max(1, round(height * factor)), max(1, round(width * factor)))
    padded = tuple(-(-side // STRIDE) * STRIDE for side in resized)
    return Level((height, width), factor, resized, (padded[0], padded[1]))


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
) -> Tensor:  # [B, 3, H', W'] float32 BGR in [-0.5, 0.5), channels last in memory
    """Move a level to the device and scale it there."""
    blue_first = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).flip(1)
    return blue_first.float().div_(256).sub_(0.5).contiguous(memory_format=torch.channels_last)


def _resize(image: NDArray[np.uint8], level: Level) -> NDArray[np.uint8]:
    height, width = level.resized
    if round(image.shape[1] * level.factor) < 1:  # too narrow for a resize by factor
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    else:  # by factor, not to a size: the sampling grid follows the exact factor, as in the original
        factor = level.factor
        resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return resized.astype(np.uint8, copy=False)
