"""What the slim network sees in each step, and how wrong it is there."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from s2hand.detect.fit.augment import augment
from s2hand.detect.fit.engine import to_input
from s2hand.detect.fit.loss import heatmap_losses
from s2hand.detect.fit.samples import Samples
from s2hand.detect.fit.settings import FitSettings
from s2hand.detect.slim import INPUT_SIZE

_ORDER, _VARIATION = 0, 1  # streams of random numbers, apart from each other


class KeypointLoss:
    """The loss of a micro-batch; which crops it holds depends on the settings' seed and on its numbers."""

    def __init__(self, samples: Samples, settings: FitSettings) -> None:
        self._samples = samples
        self._settings = settings

    def __call__(self, network: nn.Module, number: int, slot: int) -> Tensor:
        """Return the mean loss of micro-batch `slot` of step `number`."""
        settings = self._settings
        images, points = self._draw(number, slot)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            logits = network(to_input(images))
        places = torch.from_numpy(points / INPUT_SIZE)
        cross_entropy, distance = heatmap_losses(logits, places, settings.target_sigma)
        return cross_entropy.mean() + settings.location_weight * distance.mean()

    def _draw(self, number: int, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the images and points of a micro-batch."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, _VARIATION, number, slot])
        degradation = min(1.0, number * settings.batch / max(1, settings.augment.degrade_over))
        first = number * settings.batch + slot * settings.micro_batch
        varied = [
            augment(self._samples, self._index(position), settings.augment, degradation, rng)
            for position in range(first, first + settings.micro_batch)
        ]
        return np.stack([one.image for one in varied]), np.stack([one.points for one in varied])

    def _index(self, position: int) -> int:
        """Return which sample the run sees at a position; each once per pass, in a new order."""
        count = len(self._samples)
        return int(_order(self._settings.seed, position // count, count)[position % count])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)
