"""A stage of training: its steps, its learning rate, its state."""

import math
from typing import Any

import torch
from torch import Tensor

from s2hand.train.augment import Batch
from s2hand.train.average import WeightAverage
from s2hand.train.branches import Branches, Stage, start_training, synchronize_batch_norm
from s2hand.train.gradients import step_gradients
from s2hand.train.mano import HandModel
from s2hand.train.objective import Objective
from s2hand.train.processes import Processes
from s2hand.train.settings import StageSettings, TrainSettings


def learning_rate(plan: StageSettings, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, counted from 0 over the stage; a short stage warms up in a tenth of it."""
    steps = plan.epochs * steps_per_epoch
    warmth = min(1.0, (step + 1) / (min(plan.warmup_steps, steps // 10) + 1))
    if plan.schedule == "cosine":
        decay = 0.5 * (1 + math.cos(math.pi * step / steps))
    else:
        decay = plan.step_factor ** (step // (plan.step_epochs * steps_per_epoch))
    return plan.learning_rate * warmth * decay


def make_branches(settings: TrainSettings, hand: HandModel, device: torch.device, processes: Processes) -> Branches:
    """Both branches on `device`; their first weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        branches = Branches(settings, hand)
    branches.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type == "cuda" and processes.count > 1:  # pragma: no cover - needs a GPU
        synchronize_batch_norm(branches)
    if settings.compile:
        for module in (branches.reconstruction and branches.reconstruction.encoder, branches.keypoints):
            if module is not None:
                module.compile()
    return branches


class StageTrainer:
    """The branches of one stage with its objective, an optimiser of their own, and their average."""

    def __init__(
        self, settings: TrainSettings, stage: Stage, branches: Branches, hand: HandModel, processes: Processes
    ) -> None:
        self.branches, self.processes = branches.of_stage(stage), processes
        self.device = hand.faces.device
        start_training(self.branches, settings.freeze_batch_norm)
        self.objective = Objective(settings.loss, hand, stage, settings.supersampling)
        self.half = settings.precision == "bfloat16"
        self.optimizer = torch.optim.Adam(self.branches.parameters(), fused=True)
        self.average = WeightAverage(self.branches, settings.weight_average)

    def step(self, batch: Batch, rate: float) -> dict[str, float]:
        """One step of the optimiser at learning rate `rate`; returns the mean of each term, unweighted, and `loss`.

        `batch` is this process' part of the batch. Raises NonFiniteLossError, and changes no weight, where a term or
        the gradient is not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        result = step_gradients(self.branches, self.objective, batch, self.half)
        values = torch.tensor(list(result.values.values()), device=self.device)
        self.processes.average([*result.gradients, values])
        for parameter, gradient in zip(self.branches.parameters(), result.gradients, strict=True):
            # The fused optimiser takes both for one stretch of memory.
            parameter.grad = gradient if gradient.stride() == parameter.stride() else _like(gradient, parameter)
        self.optimizer.step()
        self.average.update()
        return dict(zip(result.values, values.tolist(), strict=True))

    def adopt_average(self) -> None:
        """Let the branches go on from the average of their weights, as the next stage does."""
        self.branches.load_state_dict(self.average.weights())
        for parameter in self.branches.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """All that a later step of the stage depends on, but the weights themselves."""
        return {"optimizer": self.optimizer.state_dict(), "average": self.average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])


def _like(gradient: Tensor, parameter: Tensor) -> Tensor:
    """The gradient in the parameter's memory layout."""
    return torch.empty_like(parameter).copy_(gradient)


def averaged_weights(branches: Branches, trainer: StageTrainer) -> dict[str, Tensor]:
    """The state of both branches, those of the stage under way as their average has them."""
    return branches.state_dict() | trainer.average.weights()
