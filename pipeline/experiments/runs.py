"""The trainings of the experiments: chains of stages, each a training in a folder named by what it computes.

So what two variants have in common is done once: those that differ in terms of the stage `joint` alone start from
the same two stages before it.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2hand.datasets.files import digest
from s2hand.datasets.packs import Pack
from s2hand.pipeline.experiments.data import Packs
from s2hand.pipeline.experiments.jobs import Job, run_jobs
from s2hand.pipeline.experiments.variants import Variant
from s2hand.pipeline.params import Params
from s2hand.train.branches import Stage, planned_stages
from s2hand.train.checkpoint import HISTORY, NO_RESULT
from s2hand.train.loop import held_back
from s2hand.train.settings import LossSettings, TrainSettings

_NOT_IN = {Stage.shape: ("E_2d", "E_maps", "E_con"), Stage.keypoints: ("E_con",), Stage.joint: ()}
"""Terms that a stage does not have, whatever their weights."""


@dataclass(frozen=True)
class Run:
    """A finished training."""

    variant: Variant
    seed: int
    folder: Path
    samples_3d: int  # that the 3D branch saw
    seconds: float  # of its steps, whenever they ran, those of stages that it shares with others too


def train_all(
    name: str, variants: Sequence[Variant], seeds: Sequence[int], params: Params, packs: Packs, work: Path, jobs: int
) -> list[Run]:
    """Train every variant with every seed, go on with it, or take what is finished; `jobs` trainings at a time."""
    chains = {}
    for seed in seeds:
        for variant in variants:
            settings = variant.settings.model_copy(update={"seed": seed})
            title = f"{variant.title}, seed {seed}"
            pack = packs.train[variant.keypoints]
            chains[variant, seed] = chain(settings, pack, params.hand_model, work / "runs", title)
    run_jobs(name, [job for jobs_of_one in chains.values() for job in jobs_of_one], jobs)
    return [_finished(variant, seed, done) for (variant, seed), done in chains.items()]


def chain(settings: TrainSettings, pack: Path, hand: str, work: Path, title: str) -> list[Job]:
    """The stages of a training as trainings of their own, each starting from the one before."""
    links: list[Job] = []
    steps = _steps(settings, pack)
    for stage, plan in planned_stages(settings):
        alone = single_stage(settings, stage, links[-1].folder if links else None)
        folder = work / run_name(alone, pack, hand)
        samples = plan.epochs * steps * settings.batch_size
        after = links[-1].folder if links else None
        links.append(Job(f"{title}, stage {stage}", alone, pack, folder, hand, samples, after))
    return links


def single_stage(settings: TrainSettings, stage: Stage, start: Path | None) -> TrainSettings:
    """The settings of one stage alone, starting from the folder `start`; the same for all that compute the same."""
    stages = settings.stages.model_dump()
    for other in Stage:
        stages[other]["epochs"] = stages[other]["epochs"] if other is stage else 0
    loss = LossSettings.model_validate({**settings.loss.model_dump(), **dict.fromkeys(_NOT_IN[stage], 0.0)})
    changes = {"stages": stages, "loss": loss.model_dump(), "start": str(start) if start else settings.start}
    return TrainSettings.model_validate({**settings.model_dump(), **changes})


def run_name(settings: TrainSettings, pack: Path, hand: str) -> str:
    """The name of a training's folder: the same for trainings of the same settings, pack and hand model."""
    with Pack(pack) as opened:
        data = [opened.sources, opened.parameters, len(opened), opened.size]
    start = Path(settings.start).name if settings.start else None  # of a stage, it says what that computes
    return digest([settings.model_dump(mode="json", exclude=set(NO_RESULT)), start, data, hand])[:12]


def samples_3d(settings: TrainSettings, steps: int) -> int:
    """How many samples a training shows to its 3D branch, with so many steps per epoch."""
    epochs = sum(plan.epochs for stage, plan in planned_stages(settings) if stage.has_3d)
    return epochs * steps * settings.batch_size


def _finished(variant: Variant, seed: int, done: Sequence[Job]) -> Run:
    seconds = sum(job.samples / _speed(job.folder) for job in done)
    return Run(
        variant, seed, done[-1].folder, samples_3d(variant.settings, _steps(variant.settings, done[0].pack)), seconds
    )


def _steps(settings: TrainSettings, pack: Path) -> int:
    """Per epoch."""
    with Pack(pack) as opened:
        count = len(opened)
    return (count - held_back(settings, count)) // settings.batch_size


def _speed(folder: Path) -> float:
    """Samples per second of a finished training, over its epochs, from its history."""
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        rows: list[Mapping[str, str]] = list(csv.DictReader(file))
    return len(rows) / sum(1 / float(row["samples_per_second"]) for row in rows)
