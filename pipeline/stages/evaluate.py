"""Stage `evaluate`: the network's numbers on held-back photographs, beside those of the constant hand."""

import csv
from typing import Any

import numpy as np

from s2hand.datasets.files import read_json, replacing, write_json
from s2hand.datasets.packs import Pack
from s2hand.detect.console import show_progress
from s2hand.pipeline.layout import EVAL_PACK, METRICS, MODEL, PCK, PREDICTIONS, PREPARED
from s2hand.pipeline.measure import Measured, measure_agreement, measure_truth
from s2hand.pipeline.params import load_params
from s2hand.pipeline.predictions import write_predictions
from s2hand.pipeline.sources import INDEX
from s2hand.train.checkpoint import BEST, WEIGHTS
from s2hand.train.predict import predict


def run() -> None:
    """Write `results/metrics.json`, `results/pck.csv` and `outputs/predictions`."""
    params = load_params()
    with Pack(EVAL_PACK) as pack:
        with show_progress("reconstruct") as report:
            chosen, name = params.evaluate, {"last": WEIGHTS, "best": BEST}[params.evaluate.checkpoint]
            predicted = predict(MODEL, pack, params.hand_model, chosen.batch_size, report, chosen.device, name)
        rows, names = pack.rows(range(len(pack))), pack.names()
    measure = measure_agreement if rows.joints_cam is None else measure_truth
    measured = measure(rows, predicted.joints_cam, predicted.vertices_cam, predicted.joints_px)
    write_predictions(PREDICTIONS, names, rows, predicted)
    METRICS.parent.mkdir(parents=True, exist_ok=True)
    _write_curves(measured)
    index: dict[str, Any] = read_json(PREPARED / INDEX)
    write_json(METRICS, {"dataset": index["dataset"], "hands": len(names), **measured.metrics})


def _write_curves(measured: Measured) -> None:
    """Write the curves as columns of a table that `dvc plots` draws."""
    with replacing(PCK) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(measured.curves)
        writer.writerows(np.round(np.stack(list(measured.curves.values()), axis=1), 6).tolist())
