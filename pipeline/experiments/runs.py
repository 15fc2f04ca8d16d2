"""The trainings of the experiments: each in a folder named by what it computes, so that it is done once."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from s2hand.datasets.files import digest
from s2hand.datasets.packs import Pack
from s2hand.pipeline.experiments.data import Packs
from s2hand.pipeline.experiments.variants import Variant
from s2hand.pipeline.live import show_training
from s2hand.pipeline.params import Params
from s2hand.train.branches import planned_stages
from s2hand.train.checkpoint import HISTORY, NO_RESULT
from s2hand.train.loop import Report, held_back, train
from s2hand.train.settings import TrainSettings


@dataclass(frozen=True)
class Run:
    """A finished training."""

    variant: Variant
    seed: int
    folder: Path
    samples_3d: int  # that the 3D branch saw
    seconds: float  # of its steps, whenever it ran


def train_all(
    name: str,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    params: Params,
    packs: Packs,
    work: Path,
) -> Iterator[Run]:
    """Train every variant with every seed, or go on with it, or take what is finished; one run after the other."""
    console = Console(stderr=True, soft_wrap=True)
    plan = [(seed, variant) for seed in seeds for variant in variants]
    for number, (seed, variant) in enumerate(plan, start=1):
        settings = variant.settings.model_copy(update={"seed": seed})
        pack = packs.train[variant.keypoints]
        folder = work / "runs" / run_name(settings, pack, params.hand_model)
        place = f"{name}, training {number} of {len(plan)}: {variant.title}, seed {seed}"
        console.print(f"{place} -> {folder}", highlight=False, markup=False)
        if not _train(settings, pack, folder, params.hand_model):
            console.print("  trained before", highlight=False)
        batches = _batches(settings, pack)
        yield Run(variant, seed, folder, samples_3d(settings, batches), _seconds(folder, settings, batches))


def run_name(settings: TrainSettings, pack: Path, hand: str) -> str:
    """The name of a run's folder: the same for runs of the same settings, pack and hand model."""
    with Pack(pack) as opened:
        data = [opened.sources, opened.parameters, len(opened), opened.size]
    return digest([settings.model_dump(mode="json", exclude=set(NO_RESULT)), data, hand])[:12]


def samples_3d(settings: TrainSettings, batches: int) -> int:
    """How many samples a training shows to its 3D branch, with so many batches per epoch."""
    epochs = sum(plan.epochs for stage, plan in planned_stages(settings) if stage.has_3d)
    return epochs * batches * settings.batch_size


def _train(settings: TrainSettings, pack: Path, folder: Path, hand: str) -> bool:
    """Train to the end; say whether there was anything left to do."""
    worked = False
    with show_training() as show:

        def note(report: Report) -> None:
            nonlocal worked
            worked = True
            show(report)

        train(settings, pack, folder, hand, note)
    return worked


def _batches(settings: TrainSettings, pack: Path) -> int:
    with Pack(pack) as opened:
        count = len(opened)
    return (count - held_back(settings, count)) // settings.batch_size


def _seconds(folder: Path, settings: TrainSettings, batches: int) -> float:
    """The time of a training's steps, from the speeds in its history."""
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        speeds = [float(row["samples_per_second"]) for row in csv.DictReader(file)]
    return sum(batches * settings.batch_size / speed for speed in speeds)
