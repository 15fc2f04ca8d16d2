"""One step's gradients, computed by threads that each take whole micro-batches.

A micro-batch is drawn, augmented and taken forward and backward by one thread, alone. Threads meet once per step, not
at every layer: on a machine that others use too, that is far faster than sharing each layer among the cores, and data
never waits. Gradients are summed in the order of the micro-batches, so that the number of threads changes nothing.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.detect.fit.augment import augment
from s2hand.detect.fit.loss import heatmap_losses
from s2hand.detect.fit.samples import Samples
from s2hand.detect.fit.settings import FitSettings
from s2hand.detect.slim import INPUT_SIZE, SlimNet

_ORDER, _VARIATION = 0, 1  # streams of random numbers, apart from each other


@dataclass(frozen=True, eq=False)
class StepResult:
    """Gradients of the mean loss, in the order of the network's parameters, and the loss."""

    gradients: list[Tensor]
    loss: float


class Engine:
    """Computes the gradients of each step of a run; what a step sees depends on the settings' seed and its number."""

    def __init__(self, network: SlimNet, samples: Samples, settings: FitSettings, pool: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._samples = samples
        self._pool = pool
        # A replica shares the parameters but keeps its own running statistics; those of the first one count.
        shared = {id(parameter): parameter for parameter in network.parameters()}
        copies = (copy.deepcopy(network, dict(shared)) for _ in range(settings.micro_batches - 1))
        self._replicas = [network, *copies]
        self._parameters = list(network.parameters())

    def step(self, number: int) -> StepResult:
        """Return the gradients of step `number`, and update the network's running statistics."""
        slots = range(self._settings.micro_batches)
        results = list(self._pool.map(lambda slot: self._micro_batch(number, slot), slots))
        total = results[0].gradients
        for other in results[1:]:
            torch._foreach_add_(total, other.gradients)
        torch._foreach_div_(total, len(results))
        return StepResult(total, sum(result.loss for result in results) / len(results))

    def _micro_batch(self, number: int, slot: int) -> StepResult:
        settings = self._settings
        images, points = self._draw(number, slot)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            logits = self._replicas[slot](to_input(images))
        places = torch.from_numpy(points / INPUT_SIZE)
        cross_entropy, distance = heatmap_losses(logits, places, settings.target_sigma)
        loss = cross_entropy.mean() + settings.location_weight * distance.mean()
        gradients = torch.autograd.grad(loss, self._parameters)
        return StepResult([gradient.contiguous() for gradient in gradients], float(loss.detach()))

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


def to_input(images: NDArray[np.uint8]) -> Tensor:  # [B, S, S, 3] -> [B, 3, S, S] in [-1, 1]
    """Return the network's input; in memory the channels stay last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)
