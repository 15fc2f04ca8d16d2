"""Training: samples per second of each stage, where the time goes, and how long the paper's schedule would take.

    python benchmarks/train.py

Two settings: the paper's (224 px crops, 2 stacks of 256 features at 256 px, all losses; on a GPU in batches of 64,
bfloat16 and compiled) and the embedded default's (params.yaml, 64 px). The shares are those of the parts of one
step, each measured alone, one after the other; `samples_per_second` is that of whole steps as training takes them. Of a
training in several processes on a CPU, one of them is measured alone, with its part of the batch, on its part of the
threads; what all of them reach together is in results/history.csv.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from report import Value, write_results

from s2hand.datasets.cameras import Box, project
from s2hand.datasets.packs import Sample, write_pack
from s2hand.train.augment import Batch, augment, draw_changes
from s2hand.train.branches import Branches, Stage
from s2hand.train.data import TrainingData
from s2hand.train.loop import pick_device
from s2hand.train.mano import HandModel, load_hand_model
from s2hand.train.model import render_hands
from s2hand.train.objective import Objective
from s2hand.train.processes import Processes
from s2hand.train.settings import TrainSettings
from s2hand.train.trainer import StageTrainer, make_branches

IMAGES = 4 * 32560
"""FreiHAND's training images, each seen once per epoch."""

Times = dict[str, float]


def write_random_pack(path: Path, size: int, count: int) -> Path:
    """A pack of noise with keypoints of open hands in random poses: its content changes no time."""
    random = np.random.default_rng(0)
    K = np.array([[2.1 * size, 0, size / 2], [0, 2.1 * size, size / 2], [0, 0, 1]])
    mesh = load_hand_model()(0.3 * torch.randn(count, 30), rotation=torch.randn(count, 3))
    joints = mesh.joints - mesh.joints.mean(1, keepdim=True) + torch.tensor([0, 0, 0.6])
    xy = project(joints.numpy(), K)
    samples = (
        Sample(
            name=f"{number}.jpg",
            image=random.integers(0, 256, (size, size, 3), np.uint8),
            K=K,
            keypoints=np.concatenate([xy[number], np.ones((21, 1))], axis=1).astype(np.float32),
            mirrored=False,
            box=Box(0, 0, size, size),
        )
        for number in range(count)
    )
    write_pack(path, samples, sources={"noise": "0"}, parameters={})
    return path


def measure(name: str, settings: TrainSettings, size: int, device: torch.device) -> list[dict[str, Value]]:
    """Measure every stage with one setting."""
    with tempfile.TemporaryDirectory() as folder:
        pack = write_random_pack(Path(folder) / "noise.h5", size, 4 * settings.batch_size)
        data = TrainingData(pack, device, "auto", 1)
        hand = load_hand_model().to(device)
        branches = make_branches(settings, hand, device, Processes())
        return [{"setting": name, **measure_stage(stage, settings, branches, hand, data)} for stage in Stage]


def measure_stage(
    stage: Stage, settings: TrainSettings, branches: Branches, hand: HandModel, data: TrainingData
) -> dict[str, Value]:
    """Whole steps, and the parts of one."""
    trainer = StageTrainer(settings, stage, branches, hand, Processes())

    def load() -> Batch:
        rows = torch.arange(settings.batch_size)
        return augment(data.batch(rows), settings.augment, draw_changes(len(rows), torch.Generator()))

    def step() -> None:
        trainer.step(load(), 1e-5)

    seconds = median_seconds(step, data.device)
    parts = part_times(trainer.branches, Objective(settings.loss, hand, stage, settings.supersampling), load, settings)
    parts["optimizer"] = median_seconds(lambda: take_step(trainer), data.device)
    total = sum(parts.values())
    speed = settings.batch_size / seconds
    epochs = getattr(TrainSettings().stages, stage).epochs
    return {
        "device": data.device.type,
        "stage": str(stage),
        "batch": settings.batch_size,
        "px": data.size,
        "samples_per_second": round(speed, 1),
        "paper_hours": round(IMAGES * epochs / speed / 3600, 2),
        **{f"{part}_%": round(100 * value / total, 1) for part, value in parts.items()},
    }


def take_step(trainer: StageTrainer) -> None:
    """The optimiser and the average of the weights."""
    trainer.optimizer.step()
    trainer.average.update()


def part_times(branches: Branches, objective: Objective, load: Callable[[], Batch], settings: TrainSettings) -> Times:
    """Seconds of the parts of one step; what a stage does not have takes none."""
    batch = load()
    device, half = batch.images.device, settings.precision == "bfloat16"
    three, two = branches.reconstruction, branches.keypoints
    times = {"data": median_seconds(load, device)}

    def autocast(network: Callable[..., object], *inputs: torch.Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            network(*inputs)

    def forward() -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            outputs = branches(batch.images, batch.K)
        return objective.total(objective.terms(outputs, batch))

    def whole() -> None:
        torch.autograd.grad(forward(), list(branches.parameters()), materialize_grads=True)

    times |= dict.fromkeys(("encoder", "2d_branch", "hand", "renderer"), 0.0)
    if two is not None:
        times["2d_branch"] = median_seconds(lambda: autocast(two, batch.images), device)
    if three is not None:
        times["encoder"] = median_seconds(lambda: autocast(three.encoder, batch.images, batch.K), device)
        encoded = three.encoder(batch.images, batch.K)
        hands = three.decode(encoded, batch.K)
        times["hand"] = median_seconds(lambda: three.decode(encoded, batch.K), device)
        drawn = (objective.hand, hands, batch.K, batch.targets, settings.supersampling)
        times["renderer"] = median_seconds(lambda: render_hands(*drawn), device)
    upto = median_seconds(forward, device)
    times["losses"] = max(upto - sum(times.values()) + times["data"], 0.0)
    times["backward"] = max(median_seconds(whole, device) - upto, 0.0)
    return times


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int = 5, patience: float = 8.0) -> float:
    """Median time of a call, which on a GPU has finished, after one that warms up; of two where they take long."""
    times: list[float] = []
    while len(times) < 3 or (len(times) <= repeats and sum(times) < patience):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))


def one_process(settings: TrainSettings, device: torch.device) -> TrainSettings:
    """The settings of one of the processes that share a batch on a CPU, which then has its threads."""
    if device.type != "cpu" or settings.processes == "auto":
        return settings
    torch.set_num_threads(max(1, torch.get_num_threads() // settings.processes))
    return settings.model_copy(update={"batch_size": settings.batch_size // settings.processes})


def main() -> None:
    """Measure both settings and write the results."""
    device, threads = pick_device("auto"), torch.get_num_threads()
    on_gpu = device.type == "cuda"
    paper = TrainSettings.model_validate(
        {
            "batch_size": 64 if on_gpu else 4,
            "precision": "bfloat16" if on_gpu else "float32",
            "compile": on_gpu,
            "encoder": {"pretrained": "never"},
        }
    )
    params = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8"))
    default = one_process(TrainSettings.model_validate(params["train"]), device)
    rows = measure("default", default, params["pack"]["image_size"], device)
    torch.set_num_threads(threads)
    rows += measure("paper", paper, 224, device)
    hours = sum(float(row["paper_hours"]) for row in rows if row["setting"] == "paper")
    notes = f"the paper's schedule at these speeds: {hours:.1f} hours; torch threads: {threads}"
    print(notes)
    write_results("train", rows, notes)


if __name__ == "__main__":
    main()
