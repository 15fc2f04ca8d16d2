"""The gradients of one step: a batch taken through the networks and the losses, and checked."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train.augment import Batch
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


def step_gradients(network: Branches, objective: Objective, batch: Batch, half: bool) -> StepGradients:
    """The gradients for a batch; `half`: the networks run under bfloat16 autocast.

    Raises NonFiniteLossError where a term or a gradient is not finite.
    """
    with torch.autocast(batch.K.device.type, torch.bfloat16, enabled=half):
        outputs = network(batch.images, batch.K)
    terms = objective.terms(outputs, batch)
    loss = objective.total(terms)
    names = [*terms, "loss"]
    values = torch.stack([*(term.mean() for term in terms.values()), loss]).tolist()
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise NonFiniteLossError(name, _culprits(terms.get(name), batch))
    # What no term depends on, the texture where nothing is compared with a render, stays as it is.
    gradients = list(torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True))
    if not math.isfinite(float(torch.nn.utils.get_total_norm(gradients))):
        raise NonFiniteLossError("the gradient", batch.rows)
    return StepGradients(gradients, dict(zip(names, values, strict=True)))


def _culprits(term: Tensor | None, batch: Batch) -> Tensor:
    """The rows of the samples whose term is not finite."""
    if term is None:
        return batch.rows
    return batch.rows[~term.detach().isfinite().cpu()]
