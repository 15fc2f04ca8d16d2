"""The gradients of one step: a batch taken through the network, on CPU in parts, each by a thread alone.

Threads that share every layer wait for each other hundreds of times per step; threads that take a part of the
batch each meet once. Gradients are summed in the order of the parts, so that the number of threads changes
nothing.
"""

import copy
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train.augment import Batch, split_batch
from s2hand.train.branches import Branches
from s2hand.train.objective import Objective


class NonFiniteLossError(ValueError):
    """A loss term or gradient that is infinite or not a number: `term`, and the batch's `rows` concerned."""

    def __init__(self, term: str, rows: Tensor) -> None:
        super().__init__(f"{term} is not finite")
        self.term, self.rows = term, rows


@dataclass(frozen=True, eq=False)
class StepGradients:
    """Gradients of the mean loss in the order of the network's parameters; the means of the terms, and `loss`."""

    gradients: list[Tensor]
    values: dict[str, float]


class GradientEngine:
    """Computes the gradients of batches; the network's batch statistics follow the first part of each."""

    def __init__(self, network: Branches, objective: Objective, parts: int, half: bool) -> None:
        # A replica shares the parameters, but has batch statistics of its own.
        shared = {id(parameter): parameter for parameter in network.parameters()}
        self._replicas = [network, *(copy.deepcopy(network, dict(shared)) for _ in range(parts - 1))]
        self._parameters = list(network.parameters())
        self._objective, self._half = objective, half
        workers = min(parts, os.cpu_count() or 1)
        self._pool = None
        if parts > 1:
            self._pool = ThreadPoolExecutor(workers, "part", initializer=torch.set_num_threads, initargs=(1,))

    def compute(self, batch: Batch) -> StepGradients:
        """The gradients for a batch. Raises NonFiniteLossError where a term or a gradient is not finite."""
        if self._pool is None:
            return self._compute(self._replicas[0], batch)
        parts = split_batch(batch, len(self._replicas))
        results = list(self._pool.map(self._compute, self._replicas, parts))
        shares = [len(part.rows) / len(batch.rows) for part in parts]
        total = torch._foreach_mul(results[0].gradients, shares[0])
        for result, share in zip(results[1:], shares[1:], strict=True):
            torch._foreach_add_(total, result.gradients, alpha=share)
        names = results[0].values
        means = {
            name: sum(share * result.values[name] for result, share in zip(results, shares, strict=True))
            for name in names
        }
        return StepGradients(list(total), means)

    def _compute(self, network: Branches, batch: Batch) -> StepGradients:
        with torch.autocast(batch.K.device.type, torch.bfloat16, enabled=self._half):
            outputs = network(batch.images, batch.K)
        terms = self._objective.terms(outputs, batch)
        loss = self._objective.total(terms)
        names = [*terms, "loss"]
        values = torch.stack([*(term.mean() for term in terms.values()), loss]).tolist()
        for name, value in zip(names, values, strict=True):
            if not math.isfinite(value):
                raise NonFiniteLossError(name, _culprits(terms.get(name), batch))
        # What no term depends on, the texture where nothing is compared with a render, stays as it is.
        gradients = list(torch.autograd.grad(loss, self._parameters, materialize_grads=True))
        if not math.isfinite(float(torch.nn.utils.get_total_norm(gradients))):
            raise NonFiniteLossError("the gradient", batch.rows)
        return StepGradients(gradients, dict(zip(names, values, strict=True)))


def _culprits(term: Tensor | None, batch: Batch) -> Tensor:
    """The rows of the samples whose term is not finite."""
    if term is None:
        return batch.rows
    return batch.rows[~term.detach().isfinite().cpu()]
