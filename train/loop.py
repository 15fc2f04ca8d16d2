"""The training run: stages of epochs of batches, a checkpoint after each epoch, resumable at any moment.

Everything random is drawn from generators that depend on the seed, the epoch and the step alone, so that a
run that was killed, or interrupted between two steps, goes on as if nothing had happened: on a CPU, bit by
bit. The networks use no dropout; torch's global generator decides the first weights, inside a fork of it.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from s2hand.datasets.files import digest, remove_partial_files
from s2hand.train.augment import Batch, augment, draw_changes
from s2hand.train.branches import Stage, planned_stages
from s2hand.train.checkpoint import (
    BEST,
    HISTORY,
    KEYPOINTS,
    STATE,
    WEIGHTS,
    Identity,
    hand_digest,
    read_state,
    write_history,
    write_state,
    write_weights,
)
from s2hand.train.crash import CRASH, write_crash
from s2hand.train.data import TrainingData, epoch_order, generator
from s2hand.train.gradients import NonFiniteLossError
from s2hand.train.inspection import SHEETS, Inspector
from s2hand.train.interrupt import deferred_interrupt
from s2hand.train.mano import HandModel, load_hand_model
from s2hand.train.processes import Processes, joined_processes
from s2hand.train.progress import Position, Progress, Report, Row
from s2hand.train.provenance import training_code
from s2hand.train.settings import StageSettings, TrainSettings
from s2hand.train.start import load_start, start_digest
from s2hand.train.trainer import StageTrainer, averaged_weights, learning_rate, make_branches

log = logging.getLogger(__name__)

_NAMED = 5  # images that an error names


def train(
    settings: TrainSettings,
    train_pack: Path,
    out: Path,
    hand: str = "open",
    progress: Progress | None = None,
) -> None:
    """Train both branches on a pack of crops with detected keypoints; the result is in the folder `out`.

    `hand` names the hand model, as for `load_hand_model`. Where `out` holds a run of the same settings, data,
    hand model and code, training goes on from it. Ctrl-C saves the state between two steps and raises
    KeyboardInterrupt. Under torchrun the processes share the work. Raises ValueError for a pack or a hand model
    that can't be used, and NonFiniteLossError, which names the term, the epoch, the images and a file that
    reproduces it, where the loss is not finite.
    """
    device = pick_device(settings.device)
    model = load_hand_model(hand).to(device)
    data = TrainingData(train_pack, device, settings.memory_gb, settings.workers)
    with joined_processes(device) as processes:
        _check_sizes(settings, data, train_pack, processes)
        start = Path(settings.start) if settings.start else None
        if start is not None and start.resolve() == out.resolve():
            raise ValueError(f"train.start: {start}: this training writes there; give it a folder of its own")
        made_from = data.digest() if start is None else digest([data.digest(), start_digest(start)])
        parameters = data.pack.parameters
        identity = Identity(settings, hand_digest(model), made_from, data.size, training_code(), parameters)
        if processes.first:
            out.mkdir(parents=True, exist_ok=True)
            remove_partial_files(out)
        processes.wait()
        run = _Run(data, model, hand, identity, out, progress or (lambda report: None), processes)
        run.resume()
        run.finish()
        processes.wait()


def pick_device(choice: str) -> torch.device:
    """The device of a setting: "auto" is the GPU if there is one, this process' own under torchrun.

    Raises ValueError for a GPU that isn't there.
    """
    available = torch.cuda.is_available()
    if choice == "cuda" and not available:
        raise ValueError("train.device: cuda: torch finds no GPU here; set it to auto or cpu")
    if available and choice != "cpu":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # pragma: no cover - needs a GPU
    return torch.device("cpu")


def held_back(settings: TrainSettings, count: int) -> int:
    """How many of a pack's samples, its last ones, only choose the best checkpoint."""
    return int(settings.held_back * count)


def _check_sizes(settings: TrainSettings, data: TrainingData, path: Path, processes: Processes) -> None:
    aside = held_back(settings, len(data))
    if len(data) - aside < settings.batch_size:
        kept = f", of which train.held_back keeps {aside}" if aside else ""
        raise ValueError(
            f"{path}: expected at least train.batch_size = {settings.batch_size} samples, found {len(data)}{kept}; "
            "add images or lower train.batch_size (for small collections: see presets/folder.yaml)"
        )
    if settings.batch_size % processes.count:
        raise ValueError(
            f"train.batch_size: expected a multiple of the {processes.count} processes, found {settings.batch_size}"
        )


class _Run:
    def __init__(
        self,
        data: TrainingData,
        hand: HandModel,
        hand_name: str,
        identity: Identity,
        out: Path,
        progress: Progress,
        processes: Processes,
    ) -> None:
        self.data, self.hand, self.hand_name, self.identity, self.out = data, hand, hand_name, identity, out
        self.progress, self.processes = progress, processes
        self.settings = identity.settings
        self.stages = planned_stages(self.settings)
        self.count = len(data) - held_back(self.settings, len(data))
        self.steps = self.count // self.settings.batch_size  # per epoch
        self.position = Position()
        self.branches = make_branches(self.settings, hand, data.device, processes)
        self.inspector = Inspector(self.branches, data, self.count, out)
        if self.settings.start:
            load_start(self.branches, Path(self.settings.start))
        self.trainer = self._trainer()

    @property
    def stage(self) -> tuple[Stage, StageSettings]:
        """The stage under way; after the end, the last one."""
        return self.stages[min(self.position.stage, len(self.stages) - 1)]

    def _trainer(self) -> StageTrainer:
        return StageTrainer(self.settings, self.stage[0], self.branches, self.hand, self.processes)

    def resume(self) -> None:
        """Go on from the state in `out`, if it is one of this very run."""
        state = read_state(self.out, self.identity)
        if state is None:
            self._clear()
        else:
            self._go_on(state)
        self._agree()

    def _clear(self) -> None:
        """Remove what a run of other settings, data or code has left."""
        if not self.processes.first:
            return
        if (self.out / STATE).exists():
            log.info("%s holds a run of other settings, data or code: training starts anew", self.out)
        for name in (BEST, CRASH, HISTORY, KEYPOINTS, STATE, WEIGHTS):
            (self.out / name).unlink(missing_ok=True)
        shutil.rmtree(self.out / SHEETS, ignore_errors=True)

    def _agree(self) -> None:
        """Let all processes begin with the first one's weights, at the same place."""
        place = torch.tensor([self.position.stage, self.position.epoch, self.position.step], device=self.data.device)
        first = place.clone()
        self.processes.adopt_first([first, *self.branches.state_dict().values()])
        if not torch.equal(place, first):
            raise ValueError(f"{self.out}: the processes see different states; give them one folder that all share")

    def _go_on(self, state: dict[str, Any]) -> None:
        self.position = Position(**state["position"])
        self.branches.load_state_dict(state["branches"])
        self.trainer = self._trainer()
        self.trainer.load_state_dict(state["trainer"])
        name, _ = self.stage
        log.info("going on at stage %s, epoch %d, step %d", name, self.position.epoch + 1, self.position.step + 1)

    def finish(self) -> None:
        """Train all stages that are left."""
        with deferred_interrupt() as interrupted:
            while self.position.stage < len(self.stages):
                while self.position.epoch < self.stage[1].epochs:
                    self._epoch(interrupted)
                self._next_stage()
        self._save()

    def _next_stage(self) -> None:
        self.trainer.adopt_average()
        self.position.stage, self.position.epoch = self.position.stage + 1, 0
        self.position.best = float("inf")
        self.trainer = self._trainer()

    def _epoch(self, interrupted: Callable[[], bool]) -> None:
        position, epoch = self.position, self._epochs_before() + self.position.epoch
        order = epoch_order(self.count, self.settings.batch_size, self.settings.seed, epoch)[position.step :]
        batches = self.data.batches(self.processes.share(order))
        for rows in order:
            if self.processes.any(interrupted(), self.data.device):
                self._save()
                self.processes.wait()
                raise KeyboardInterrupt
            started = time.perf_counter()
            values = self._step(next(batches), rows, epoch)
            position.seconds += time.perf_counter() - started
            position.sums = {name: position.sums.get(name, 0.0) + value for name, value in values.items()}
            position.step += 1
            self.progress(self._report())
        self._close_epoch()
        self._save()

    def _step(self, batch: Batch, rows: torch.Tensor, epoch: int) -> dict[str, float]:
        """One step with this process' part, `batch`, of the samples `rows`; `epoch` counts over all stages."""
        settings, position, (stage, plan) = self.settings, self.position, self.stage
        draws = draw_changes(len(rows), generator(settings.seed, epoch, position.step))
        batch = augment(batch, settings.augment, self.processes.share(draws.T).T)
        rate = learning_rate(plan, position.epoch * self.steps + position.step, self.steps)
        try:
            return self.trainer.step(batch, rate)
        except NonFiniteLossError as error:
            path = write_crash(self.out, batch, self.branches, stage, self.identity)
            names = self.data.names(error.rows)
            shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
            error.args = (
                f"stage {stage}, epoch {position.epoch + 1}, step {position.step + 1}: {error.term} is not finite "
                f"for the images {shown}; look at their keypoints and K, or lower the learning rate; "
                f"to see it again: s2hand train reproduce {path} --hand-model {self.hand_name}",
            )
            raise

    def _epochs_before(self) -> int:
        """Epochs of the stages before this one."""
        return sum(plan.epochs for _, plan in self.stages[: self.position.stage])

    def _report(self) -> Report:
        position, (stage, plan), size = self.position, self.stage, self.settings.batch_size
        done = (self._epochs_before() + position.epoch) * self.steps + position.step
        total = sum(plan.epochs for _, plan in self.stages) * self.steps
        speed = position.step * size / max(position.seconds, 1e-9)
        means = {name: value / position.step for name, value in position.sums.items()}
        return Report(stage, position.epoch + 1, plan.epochs, done * size, total * size, speed, means)

    def _close_epoch(self) -> None:
        """Turn the sums of the finished epoch into a line of the history."""
        position, (stage, plan), report = self.position, self.stage, self._report()
        row: Row = {"epoch": float(self._epochs_before() + position.epoch + 1), "stage": str(stage)}
        row["learning_rate"] = learning_rate(plan, position.epoch * self.steps + self.steps - 1, self.steps)
        row["samples_per_second"] = report.samples_per_second
        if self.processes.first:
            weights = averaged_weights(self.branches, self.trainer)
            distances = self.inspector.held_back_distances(weights, stage)
            row |= distances
            if stage.has_3d:
                self._keep_best(distances.get("held_back_px", report.values["loss"]))
            every = self.settings.sheet_epochs
            if every and (position.epoch + 1 == plan.epochs or (position.epoch + 1) % every == 0):
                self.inspector.write_sheet(weights, f"{self.position.stage + 1}-{stage}-{position.epoch + 1:03d}")
        row |= dict(sorted(report.values.items()))
        position.history = [*position.history, row]
        position.epoch, position.step, position.seconds, position.sums = position.epoch + 1, 0, 0.0, {}

    def _keep_best(self, value: float) -> None:
        if value < self.position.best:
            self.position.best = value
            write_weights(self.out / BEST, self._weights("reconstruction"), self.identity)

    def _weights(self, branch: str) -> dict[str, torch.Tensor]:
        state, prefix = averaged_weights(self.branches, self.trainer), f"{branch}."
        return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}

    def _save(self) -> None:
        if not self.processes.first:
            return
        position = vars(self.position)
        state = {"position": position, "branches": self.branches.state_dict(), "trainer": self.trainer.state_dict()}
        write_state(self.out, state, self.identity)
        write_weights(self.out / WEIGHTS, self._weights("reconstruction"), self.identity)
        if self.branches.keypoints is not None:
            write_weights(self.out / KEYPOINTS, self._weights("keypoints"), self.identity)
        write_history(self.out, self.position.history)
