"""One step's gradients, computed by threads that each take whole micro-batches.

A micro-batch is drawn, augmented and taken forward and backward by one thread, alone. Threads meet once per step, not
at every layer: on a machine that others use too, that is far faster than sharing each layer among the cores, and data
never waits. Gradients are summed in the order of the micro-batches, so that the number of threads changes nothing.
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Loss = Callable[[nn.Module, int, int], Tensor]
"""Called with a network, the number of the step and that of the micro-batch; draws the micro-batch and returns its
mean loss. What it draws depends on the two numbers only."""


@dataclass(frozen=True, eq=False)
class StepResult:
    """Gradients of the mean loss, in the order of the network's parameters, and the loss."""

    gradients: list[Tensor]
    loss: float


class Engine:
    """Computes the gradients of each step of a run."""

    def __init__(self, network: nn.Module, loss: Loss, micro_batches: int, pool: ThreadPoolExecutor) -> None:
        self._loss = loss
        self._pool = pool
        # A replica shares the parameters but keeps its own running statistics; those of the first one count.
        shared = {id(parameter): parameter for parameter in network.parameters()}
        copies = (copy.deepcopy(network, dict(shared)) for _ in range(micro_batches - 1))
        self._replicas = [network, *copies]
        self._parameters = list(network.parameters())

    def step(self, number: int) -> StepResult:
        """Return the gradients of step `number`, and update the network's running statistics."""
        slots = range(len(self._replicas))
        results = list(self._pool.map(lambda slot: self._micro_batch(number, slot), slots))
        total = results[0].gradients
        for other in results[1:]:
            torch._foreach_add_(total, other.gradients)
        torch._foreach_div_(total, len(results))
        return StepResult(total, sum(result.loss for result in results) / len(results))

    def _micro_batch(self, number: int, slot: int) -> StepResult:
        loss = self._loss(self._replicas[slot], number, slot)
        gradients = torch.autograd.grad(loss, self._parameters)
        return StepResult([gradient.contiguous() for gradient in gradients], float(loss.detach()))


def to_input(images: NDArray[np.uint8]) -> Tensor:  # [B, S, S, 3] -> [B, 3, S, S] in [-1, 1]
    """Return the network's input; in memory the channels stay last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
