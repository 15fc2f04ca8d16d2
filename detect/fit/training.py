"""The training loop: steps, measurements, checkpoints, whatever it is that learns."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s2hand.datasets.files import DataError
from s2hand.detect.fit.average import Average
from s2hand.detect.fit.engine import Engine, Loss
from s2hand.detect.fit.run_folder import RunFolder
from s2hand.detect.fit.settings import RunSettings

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_LONGEST_GRADIENT = 5.0  # norm beyond which a step is shortened: guards against one odd batch


@dataclass(frozen=True)
class FitSummary:
    """What a run ended with: where the weights are, and the last measurement on held-back images."""

    weights: Path
    samples: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Measurement:
    """How well a network does on held-back images, and what inference with it needs besides, JSON values by name."""

    metrics: Mapping[str, float]
    texts: Mapping[str, str]


class Training:
    """The state of a run and how it goes on."""

    def __init__(
        self,
        settings: RunSettings,
        network: nn.Module,
        kind: str,  # of the network, for the weight file
        loss: Loss,
        measure: Callable[[nn.Module], Measurement],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._settings = settings
        self._kind = kind
        self._measure_network = measure
        self._network = network.train()
        self._average = Average(self._network, settings.average_decay)
        self._optimizer = _optimizer(self._network, settings)
        self._engine = Engine(self._network, loss, settings.micro_batches, pool)
        self._step = 0
        self._history: list[dict[str, float]] = []
        self._losses: list[float] = []

    def train(self, folder: RunFolder, progress: Progress) -> FitSummary:
        """Run from where the folder's checkpoint is, or from the start, to the end."""
        settings = self._settings
        self._resume(folder.load())
        started = time.monotonic()
        every = max(1, settings.validate_every // settings.batch)
        while self._step < settings.steps:
            self._take_step()
            progress("training", self._step * settings.batch, settings.steps * settings.batch)
            if self._step % every == 0 or self._step == settings.steps:
                self._measure(folder, time.monotonic() - started)
                started = time.monotonic()
        return FitSummary(folder.weights, self._step * settings.batch, self._history[-1])

    def _take_step(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._step, self._settings)
        result = self._engine.step(self._step)
        for parameter, gradient in zip(self._network.parameters(), result.gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), _LONGEST_GRADIENT)
        self._optimizer.step()
        self._average.update(self._network, self._step)
        self._losses.append(result.loss)
        self._step += 1

    def _measure(self, folder: RunFolder, seconds: float) -> None:
        """Measure the average on held-back images; write checkpoint, history and weights."""
        measured = self._measure_network(self._average.network)
        earlier = self._history[-1]["seconds"] if self._history else 0.0
        samples = self._step * self._settings.batch
        row = {
            "samples": float(samples),
            "seconds": round(earlier + seconds, 1),
            "loss": sum(self._losses) / len(self._losses),
            **measured.metrics,
        }
        self._history.append(row)
        self._losses.clear()
        folder.export(self._average.network, self._kind, measured.texts, measured.metrics, samples)
        folder.save(self._state(), self._history)

    def _state(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "steps": self._settings.steps,
            "first_falling_step": self._settings.first_falling_step,
            "network": self._network.state_dict(),
            "average": self._average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _resume(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self._step = state["step"]
        lengths = {state["steps"], self._settings.steps}
        if len(lengths) > 1 and self._step > min(state["first_falling_step"], self._settings.first_falling_step):
            raise DataError("samples: the run's learning rate has begun to fall, its length can't change any more")
        self._history = state["history"]
        self._network.load_state_dict(state["network"])
        self._average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])


def learning_rate(step: int, settings: RunSettings) -> float:
    """Return the learning rate of a step: up in a line over the warm-up, constant, down in a line to the end."""
    warm = min(1.0, (step + 1) * settings.batch / max(1, settings.warm_up))
    left = (settings.steps - step) / max(1, settings.steps - settings.first_falling_step)
    return settings.learning_rate * min(warm, left)


def _optimizer(network: nn.Module, settings: RunSettings) -> torch.optim.AdamW:
    """Decay the weights of convolutions only, not scales and shifts."""
    decayed: list[Tensor] = [p for p in network.parameters() if p.ndim > 1]
    others: list[Tensor] = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
