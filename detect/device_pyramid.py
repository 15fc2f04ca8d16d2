"""The inputs of the OpenPose network, made on the device: the pixels are uploaded once, all scales are cut from them.

The same steps as in `pyramid`, with PyTorch's cubic resize: it has OpenCV's kernel, borders and centres of pixels, and
differs by one grey level in about one of a thousand values.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.pyramid import PAD, Level, Plan, runs
from s2hand.detect.transfer import upload


def device_inputs(
    images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB
    plans: Sequence[Plan],  # one per image; the padded sizes agree
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Tensor]:  # per scale [B, 3, H', W'] BGR in [-0.5, 0.5), channels last in memory
    """Upload images and yield the network's input of scale after scale."""
    pixels = upload(torch.from_numpy(np.concatenate([image.ravel() for image in images])), device)
    sources = []
    for part, plan in runs(plans):
        height, width = plan[0].image
        count = (part.stop - part.start) * height * width * 3
        red_first = pixels[:count].view(-1, height, width, 3)
        sources.append(red_first.flip(-1).permute(0, 3, 1, 2).float())
        pixels = pixels[count:]
    for scale in range(len(plans[0])):
        batch = torch.empty(
            (len(images), 3, *plans[0][scale].padded), device=device, memory_format=torch.channels_last
        ).fill_(PAD)
        for source, (part, plan) in zip(sources, runs(plans), strict=True):
            height, width = plan[scale].resized
            batch[part, :, :height, :width] = _resize(source, plan[scale])
        yield batch.sub_(PAD).div_(256).to(dtype)


def _resize(source: Tensor, level: Level) -> Tensor:  # [n, 3, H, W] -> [n, 3, h, w], whole grey levels
    """Resize by the level's factor, not to its size: the sampling grid follows the exact factor, as in the original."""
    too_narrow = round(level.image[1] * level.factor) < 1
    horizontal = None if too_narrow else level.factor
    resized: Tensor = torch.ops.aten.upsample_bicubic2d(source, list(level.resized), False, level.factor, horizontal)
    return resized.round_().clamp_(0, 255)
