"""Stage `evaluate`: the network's numbers on held-back photographs, beside those of the constant hand."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import read_json, replacing, write_json
from s2hand.datasets.packs import Pack
from s2hand.detect.console import note, show_progress
from s2hand.pipeline.curves import Columns
from s2hand.pipeline.layout import CONFIDENCE, EVAL_PACK, METRICS, MODEL, PCK, PER_JOINT, PREDICTIONS, PREPARED
from s2hand.pipeline.measure import measure_agreement, measure_truth
from s2hand.pipeline.official.challenges import CHALLENGES
from s2hand.pipeline.official.submission import first_hands, write_submission
from s2hand.pipeline.params import load_params
from s2hand.pipeline.predictions import in_photographs, write_predictions
from s2hand.pipeline.sources import INDEX
from s2hand.pipeline.unlabelled import measure_unlabelled
from s2hand.train import load_hand_model
from s2hand.train.checkpoint import BEST, WEIGHTS
from s2hand.train.predict import Predictions, predict


def run() -> None:
    """Write `results/metrics.json`, the curves beside it, and `outputs/predictions`."""
    params = load_params()
    with Pack(EVAL_PACK) as pack:
        with show_progress("reconstruct") as report:
            chosen, name = params.evaluate, {"last": WEIGHTS, "best": BEST}[params.evaluate.checkpoint]
            predicted = predict(MODEL, pack, params.hand_model, chosen.batch_size, report, chosen.device, name)
        annotations, names = pack.annotations(range(len(pack))), pack.names()
        if annotations.joints_cam is None:
            measured = measure_agreement(annotations, predicted.joints_px)
            more = measure_unlabelled(pack, predicted, load_hand_model(params.hand_model))
        else:
            measured = measure_truth(annotations, predicted.joints_cam, predicted.vertices_cam, predicted.joints_px)
            more = {}
    metrics = {who: {**values, **more.get(who, {})} for who, values in measured.metrics.items()}
    index: dict[str, Any] = read_json(PREPARED / INDEX)
    write_predictions(PREDICTIONS, names, annotations, predicted)
    _write_submission(index, names, annotations.mirrored, predicted)
    METRICS.parent.mkdir(parents=True, exist_ok=True)
    for path, columns in ((PCK, measured.curves), (PER_JOINT, measured.per_joint), (CONFIDENCE, measured.confidence)):
        _write_columns(path, columns)
    write_json(METRICS, {"dataset": index["dataset"], "hands": len(names), **metrics})


def _write_submission(
    index: Mapping[str, Any], names: Sequence[str], mirrored: NDArray[np.bool_], predicted: Predictions
) -> None:
    """Write the files of the data set's challenge, if it has one and every evaluation image was read."""
    if index["dataset"] not in CHALLENGES:
        return
    images, chosen = index["evaluation"]["images"], first_hands(names)
    if len(chosen) != images:
        note(f"{PREDICTIONS}: no pred.json: {images - len(chosen)} of {images} evaluation images can't be read")
        return
    joints, vertices = in_photographs(mirrored, predicted)
    write_submission(PREDICTIONS, CHALLENGES[index["dataset"]], joints[chosen], vertices[chosen])


def _write_columns(path: Path, columns: Columns) -> None:
    """Write a table that `dvc plots` draws; what is unknown becomes `nan`, which leaves a gap."""
    rounded = {
        name: np.round(values.astype(np.float64), 6) if values.dtype.kind == "f" else values
        for name, values in columns.items()
    }
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(rounded)
        writer.writerows(zip(*(values.tolist() for values in rounded.values()), strict=True))
