"""One network in training: a step of it, its learning rate, its state."""

import math
from typing import Any

import torch

from s2hand.train.augment import Batch
from s2hand.train.average import WeightAverage
from s2hand.train.gradients import GradientEngine
from s2hand.train.mano import HandModel
from s2hand.train.model import HandNetwork
from s2hand.train.objective import Objective
from s2hand.train.settings import TrainSettings


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, counted from 0 over the whole run; a short run warms up in a tenth of it."""
    steps = settings.epochs * steps_per_epoch
    warmth = min(1.0, (step + 1) / (min(settings.warmup_steps, steps // 10) + 1))
    if settings.schedule == "cosine":
        decay = 0.5 * (1 + math.cos(math.pi * step / steps))
    else:
        decay = settings.step_factor ** (step // (settings.step_epochs * steps_per_epoch))
    return settings.learning_rate * warmth * decay


class Trainer:
    """Network, objective and optimiser on `device`; the first weights depend on the seed alone."""

    def __init__(self, settings: TrainSettings, hand: HandModel, device: torch.device) -> None:
        self.settings, self.device = settings, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = HandNetwork(settings.encoder, hand)
        self.network = network.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        objective = Objective(settings.loss, self.network.hand)
        parts = settings.micro_batches if device.type == "cpu" else 1
        self.engine = GradientEngine(self.network, objective, parts, settings.precision == "bfloat16")
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.learning_rate, fused=True)
        self.average = WeightAverage(self.network, settings.weight_average)

    def step(self, batch: Batch, rate: float) -> dict[str, float]:
        """One step of the optimiser at learning rate `rate`; returns the mean of each term, unweighted, and `loss`.

        Raises NonFiniteLossError, and changes nothing, where a term or the gradient is not finite.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        result = self.engine.compute(batch)
        for parameter, gradient in zip(self.network.parameters(), result.gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self.average.update()
        return result.values

    def state_dict(self) -> dict[str, Any]:
        """All that a later step depends on."""
        parts = {"network": self.network, "optimizer": self.optimizer, "average": self.average}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
