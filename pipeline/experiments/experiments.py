"""The experiments: data, trainings, measurements, and what they come to."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.detect.console import show_progress
from s2hand.pipeline.experiments import keypoint_sets as sets
from s2hand.pipeline.experiments import paper, variants
from s2hand.pipeline.experiments.curves import draw_curves, write_curves
from s2hand.pipeline.experiments.data import Packs, make_packs
from s2hand.pipeline.experiments.outcome import Column, Outcome, Row, Trial
from s2hand.pipeline.experiments.report import write_outcome
from s2hand.pipeline.experiments.runs import Run, train_all
from s2hand.pipeline.experiments.surroundings import surroundings
from s2hand.pipeline.experiments.variants import Keypoints, Variant
from s2hand.pipeline.measure import Measured, measure_truth
from s2hand.pipeline.paper import SOURCE
from s2hand.pipeline.params import Params
from s2hand.train.predict import Predictions, predict

SET_COLUMNS = (
    Column("error_px", "2D error (px)", True),
    Column("within_5px", "within 5 px", False),
    Column("within_10px", "within 10 px", False),
    Column("within_20px", "within 20 px", False),
    Column("reduction_percent", "less by 2D-3D (%)", False),
)
KEPT = (
    "E_points, E_theta and encoder.points, which the paper does not have, stay as the parameters say in all rows; "
    "E_points lets the 3D branch see the keypoints as places in the image even where E_2d is off."
)
SAME_SAMPLES = "The 3D branch sees equally many samples in all rows."


@dataclass(frozen=True)
class Request:
    """What to run an experiment with, and where."""

    params: Params
    work: Path  # data and trainings, which the experiments share
    results: Path
    seeds: int
    jobs: int  # trainings at a time

    def trained(self, name: str, chosen: list[Variant], packs: Packs) -> dict[str, list[Run]]:
        """The finished trainings by the variants' titles, one per seed each."""
        seeds = range(self.params.seed, self.params.seed + self.seeds)
        runs: dict[str, list[Run]] = defaultdict(list)
        for run in train_all(name, chosen, seeds, self.params, packs, self.work, self.jobs):
            runs[run.variant.title].append(run)
        return runs


def ablation(request: Request) -> Outcome:
    """Table 4: what each group of loss terms is worth."""
    notes = ("Each row has the terms of the row above as well.", SAME_SAMPLES, KEPT)
    chosen = variants.ablation(request.params.train)
    return _compare(request, "ablation", "Terms of the loss (Table 4)", chosen, paper.TABLE_4, notes)


def supervision(request: Request) -> Outcome:
    """Table 5: detections with their confidences against true 2D joints with equal ones."""
    notes = (
        "Both rows learn from the same crops; WSL from the projected true joints, all of confidence 1.",
        "The paper's true joints are annotations of photographs; ours are exact.",
        SAME_SAMPLES,
        KEPT,
    )
    chosen = variants.supervision(request.params.train)
    return _compare(request, "supervision", "Source of supervision (Table 5)", chosen, paper.TABLE_5, notes)


def keypoint_sets(request: Request) -> Outcome:
    """Figure 4: how near the 2D joints of the detector and of both branches are to the true ones."""
    started, chosen = time.monotonic(), variants.consistency(request.params.train)
    packs = make_packs(request.params, request.work)
    runs = request.trained("keypoint-sets", chosen, packs)
    with Pack(packs.train[Keypoints.true]) as pack:
        true_px, size = pack.annotations(range(len(pack))).keypoints[..., :2], pack.size
    with Pack(packs.train[Keypoints.detected]) as pack:
        detected = sets.distances_px(pack.annotations(range(len(pack))).keypoints[..., :2], true_px, size)
        found = {
            title: [_distances(run, pack, true_px, request.params) for run in group] for title, group in runs.items()
        }
    rows = [Row("Detected", (Trial(sets.summary(detected)),), facts={"keypoints": "detected"})]
    curves = {"Detected": np.stack([sets.curve(detected)])}
    baseline: dict[str, list[float]] = {}
    for title, group in runs.items():
        for kind in ("predicted", "projected"):
            distances = [of_run[kind] for of_run in found[title]]
            trials = _with_reduction([sets.summary(values) for values in distances], baseline.get(kind))
            named = paper.FIGURE_4[kind] if kind in baseline else {}
            baseline.setdefault(kind, [metrics["error_px"] for metrics in trials])
            heading = f"{kind.capitalize()} {title}"
            rows.append(_row(heading, group, trials, named))
            curves[heading] = np.stack([sets.curve(values) for values in distances])
    notes = (
        f"On the {len(true_px)} training images; pixels of a {sets.REFERENCE_SIZE} px image.",
        "Predicted: the 2D branch's joints; projected: the 3D branch's. Without 2D-3D, E_con is 0 in the joint stage.",
        "Joints that the detector did not find count in the shares and in the curves as far away, not in the mean.",
        SAME_SAMPLES,
        KEPT,
    )
    columns, title = SET_COLUMNS, "2D joints of the training images (Figure 4)"
    about = _about(request, runs, packs, started)
    outcome = Outcome("keypoint-sets", title, columns, tuple(rows), notes, SOURCE, about)
    write_outcome(outcome, request.results)
    legend = {row.title: f"{row.title}: {row.mean()['error_px']:.1f} px" for row in rows}
    write_curves(request.results / "keypoint-sets.csv", sets.DISTANCES, curves)
    draw_curves(request.results / "keypoint-sets.png", sets.DISTANCES, curves, legend)
    return outcome


def _compare(
    request: Request,
    name: str,
    title: str,
    chosen: list[Variant],
    numbers: Iterable[paper.Numbers],
    notes: tuple[str, ...],
) -> Outcome:
    """Train all variants and measure them on the photographs that were held back; the best constant hand below."""
    started = time.monotonic()
    packs = make_packs(request.params, request.work)
    runs = request.trained(name, chosen, packs)
    rows, measured = [], None
    with Pack(packs.evaluation) as pack:
        for variant, beside in zip(chosen, numbers, strict=True):
            group, trials = runs[variant.title], []
            for run in group:
                measured = _measure(run, pack, request.params)
                trials.append({column.key: measured.metrics["network"][column.key] for column in paper.COLUMNS})
            rows.append(_row(variant.title, group, trials, beside))
        count, size = len(pack), pack.size
    assert measured is not None
    constant = {column.key: measured.metrics["constant"][column.key] for column in paper.COLUMNS}
    rows.append(Row("constant hand", (Trial(constant),)))
    held_back = (
        f"On {count} photographs that were held back. PA, AUC, F: after Procrustes alignment; 2D error: pixels of a "
        f"crop of {size}.",
        "The constant hand is the mean of the very truth that it is compared with: what no learning gives.",
    )
    about = {**_about(request, runs, packs, started), "detector": dict(measured.metrics["detector"])}
    outcome = Outcome(name, title, paper.COLUMNS, tuple(rows), (*held_back, *notes), SOURCE, about)
    write_outcome(outcome, request.results)
    return outcome


def _row(title: str, runs: list[Run], trials: list[dict[str, float]], beside: paper.Numbers) -> Row:
    facts = [{"seed": run.seed, "run": run.folder.name, "training_seconds": round(run.seconds, 1)} for run in runs]
    variant = runs[0].variant
    return Row(
        title,
        tuple(Trial(metrics, fact) for metrics, fact in zip(trials, facts, strict=True)),
        beside,
        {
            "keypoints": str(variant.keypoints),
            "samples_3d": runs[0].samples_3d,
            "loss": variant.settings.loss.model_dump(mode="json"),
        },
    )


def _measure(run: Run, pack: Pack, params: Params) -> Measured:
    predicted = _predict(run, pack, params)
    annotations = pack.annotations(range(len(pack)))
    return measure_truth(annotations, predicted.joints_cam, predicted.vertices_cam, predicted.joints_px)


def _predict(run: Run, pack: Pack, params: Params) -> Predictions:
    how = params.evaluate
    with show_progress(f"reconstruct, {run.variant.title}, seed {run.seed}") as report:
        return predict(run.folder, pack, params.hand_model, how.batch_size, report, how.device)


def _distances(run: Run, pack: Pack, true_px: NDArray[Any], params: Params) -> dict[str, NDArray[np.float64]]:
    """The 2D errors [N, 21] of both branches."""
    how = params.evaluate
    joints = {
        "predicted": sets.predict_2d(run.folder, pack, how.batch_size, how.device),
        "projected": _predict(run, pack, params).joints_px,
    }
    return {kind: sets.distances_px(xy, true_px, pack.size) for kind, xy in joints.items()}


def _with_reduction(trials: list[dict[str, float]], before: list[float] | None) -> list[dict[str, float]]:
    """Add by how many per cent the error is less than that of the same seed in `before`, if there is such."""
    if before is None:
        return trials
    pairs = zip(trials, before, strict=True)
    return [{**trial, "reduction_percent": 100 * (1 - trial["error_px"] / old)} for trial, old in pairs]


def _about(request: Request, runs: dict[str, list[Run]], packs: Packs, started: float) -> dict[str, Any]:
    every = [run for group in runs.values() for run in group]
    sizes = {}
    for name, path in (("training", packs.train[Keypoints.detected]), ("evaluation", packs.evaluation)):
        with Pack(path) as pack:
            sizes[name] = len(pack)
    return {
        **surroundings(),
        "samples": sizes,
        "seconds": round(time.monotonic() - started, 1),
        "training_seconds": round(sum(run.seconds for run in every), 1),
        "parameters": request.params.model_dump(mode="json"),
    }
