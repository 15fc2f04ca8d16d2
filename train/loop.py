"""The training run: epochs of batches, a checkpoint after each, resumable at any moment.

Everything random is drawn from generators that depend on the seed, the epoch and the step alone, so that a
run that was killed, or interrupted between two steps, goes on as if nothing had happened: on a CPU, bit by
bit. The network uses no dropout; torch's global generator decides the first weights, inside a fork of it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from s2hand.datasets.files import remove_partial_files, source_digest
from s2hand.train.augment import Batch, augment
from s2hand.train.checkpoint import (
    Identity,
    hand_digest,
    read_state,
    write_history,
    write_state,
    write_weights,
)
from s2hand.train.data import TrainingData, epoch_order, generator
from s2hand.train.gradients import NonFiniteLossError
from s2hand.train.interrupt import deferred_interrupt
from s2hand.train.mano import load_hand_model
from s2hand.train.settings import TrainSettings
from s2hand.train.trainer import Trainer, learning_rate

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # (samples seen, samples in all)

_NAMED = 5  # images that an error names


@dataclass
class Position:
    """How far a run is: finished epochs and their history, and the steps of the epoch under way."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0  # spent in this epoch's steps
    sums: dict[str, float] = field(default_factory=dict)  # of the terms over this epoch's steps
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    settings: TrainSettings,
    train_pack: Path,
    out: Path,
    hand: str = "open",
    progress: Progress | None = None,
) -> None:
    """Train a network on a pack of crops with detected keypoints; the result is in the folder `out`.

    `hand` names the hand model, as for `load_hand_model`. Where `out` holds a run of the same settings, data,
    hand model and code, training goes on from it. Ctrl-C saves the state between two steps and raises
    KeyboardInterrupt. Raises ValueError for a pack or a hand model that can't be used, and
    NonFiniteLossError, which names the term, the epoch and the images, where the loss is not finite.
    """
    device = pick_device(settings.device)
    model = load_hand_model(hand)
    data = TrainingData(train_pack, device, settings.memory_gb)
    if len(data) < settings.batch_size:
        raise ValueError(
            f"{train_pack}: expected at least train.batch_size = {settings.batch_size} samples, "
            f"found {len(data)}; add images or lower train.batch_size"
        )
    code = source_digest("s2hand.datasets", "s2hand.train")
    identity = Identity(settings, hand_digest(model), data.digest(), data.size, code)
    out.mkdir(parents=True, exist_ok=True)
    remove_partial_files(out)
    run = _Run(data, Trainer(settings, model, device), identity, out, progress or (lambda seen, total: None))
    run.resume()
    run.finish()


def pick_device(choice: str) -> torch.device:
    """The device of a setting: "auto" is the GPU if there is one. Raises ValueError for a GPU that isn't there."""
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ValueError("train.device: cuda: torch finds no GPU here; set it to auto or cpu")
    return torch.device("cuda" if available and choice != "cpu" else "cpu")


class _Run:
    def __init__(self, data: TrainingData, trainer: Trainer, identity: Identity, out: Path, progress: Progress) -> None:
        self.data, self.trainer, self.identity, self.out, self.progress = data, trainer, identity, out, progress
        self.settings = identity.settings
        self.steps = len(data) // self.settings.batch_size  # per epoch
        self.position = Position()

    def resume(self) -> None:
        """Go on from the state in `out`, if it is one of this very run."""
        state = read_state(self.out, self.identity)
        if state is None:
            return
        self.position = Position(**state["position"])
        self.trainer.load_state_dict(state["trainer"])
        log.info("going on at epoch %d, step %d", self.position.epoch + 1, self.position.step + 1)

    def finish(self) -> None:
        """Train all epochs that are left."""
        with deferred_interrupt() as interrupted:
            while self.position.epoch < self.settings.epochs:
                self._epoch(interrupted)
        self._save()

    def _epoch(self, interrupted: Callable[[], bool]) -> None:
        position, settings = self.position, self.settings
        order = epoch_order(len(self.data), settings.batch_size, settings.seed, position.epoch)
        while position.step < self.steps:
            if interrupted():
                self._save()
                raise KeyboardInterrupt
            started = time.perf_counter()
            values = self._step(order[position.step])
            position.seconds += time.perf_counter() - started
            position.sums = {name: position.sums.get(name, 0.0) + value for name, value in values.items()}
            position.step += 1
            seen = (position.epoch * self.steps + position.step) * settings.batch_size
            self.progress(seen, settings.epochs * self.steps * settings.batch_size)
        self._close_epoch()
        self._save()

    def _step(self, rows: torch.Tensor) -> dict[str, float]:
        epoch, step = self.position.epoch, self.position.step
        batch = self._batch(rows, generator(self.settings.seed, epoch, step))
        rate = learning_rate(self.settings, epoch * self.steps + step, self.steps)
        try:
            return self.trainer.step(batch, rate)
        except NonFiniteLossError as error:
            names = self.data.names(error.rows)
            shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
            error.args = (
                f"epoch {epoch + 1}, step {step + 1}: {error.term} is not finite for the images {shown}; "
                "look at their keypoints and K, or lower train.learning_rate",
            )
            raise

    def _batch(self, rows: torch.Tensor, draws: torch.Generator) -> Batch:
        return augment(self.data.batch(rows), self.settings.augment, draws)

    def _close_epoch(self) -> None:
        """Turn the sums of the finished epoch into a line of the history."""
        position, settings = self.position, self.settings
        rate = learning_rate(settings, position.epoch * self.steps + self.steps - 1, self.steps)
        samples = self.steps * settings.batch_size
        row = {"epoch": float(position.epoch + 1), "learning_rate": rate}
        row |= {"samples_per_second": samples / max(position.seconds, 1e-9)}
        row |= {name: value / self.steps for name, value in sorted(position.sums.items())}
        self.position = Position(position.epoch + 1, history=[*position.history, row])

    def _save(self) -> None:
        state = {"position": vars(self.position), "trainer": self.trainer.state_dict()}
        write_state(self.out, state, self.identity)
        write_weights(self.out, self.trainer.average.weights(), self.identity)
        write_history(self.out, self.position.history)
