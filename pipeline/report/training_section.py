"""Training: every term of the loss, learning rate, throughput, and the held-back samples, epoch by epoch."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from s2hand.datasets.files import DataError
from s2hand.pipeline.layout import HISTORY
from s2hand.pipeline.report.charts import lines
from s2hand.pipeline.report.page import Block, Chart, Section
from s2hand.pipeline.report.project import Project

_NEEDED = ("stage", "loss", "learning_rate", "samples_per_second")
_BAND = "rgba(128, 128, 128, 0.12)"  # seen on light and on dark
HELD_BACK = {"held_back_px": "projected from the 3D hand", "held_back_2d_px": "of the 2D branch"}


def training_section(project: Project) -> Section | None:
    """Return the curves of the training; None where its history is not there or empty."""
    history = project.columns(HISTORY)
    if not history or not history.get("epoch"):
        return None
    missing = [name for name in _NEEDED if name not in history]
    if missing:
        raise DataError(f"{HISTORY}: expected a column {missing[0]!r}, found {', '.join(history)}; make it anew")
    terms = {name: values for name, values in history.items() if name.startswith("E_")}
    held_back = {title: history[name] for name, title in HELD_BACK.items() if name in history}
    blocks = [
        _chart(history, "Loss", {"loss": history["loss"]}, "weighted sum of the terms"),
        _chart(
            history,
            "Every term of the loss",
            terms,
            "mean, unweighted",
            tall=True,
            yaxis={"type": "log", "dtick": 1},
            note="A term is there in the stages that use it; docs/losses.md explains each.",
        ),
        _chart(
            history,
            "Held-back samples",
            held_back,
            "mean distance to the detections (px)",
            note="Hands of the training's photographs that it does not learn from.",
        ),
        _chart(history, "Learning rate", {"learning rate": history["learning_rate"]}, "at the end of an epoch"),
        _chart(history, "Throughput", {"samples/s": history["samples_per_second"]}, "samples per second"),
    ]
    stages = ", ".join(name for name, _, _ in stage_spans(history["stage"]))
    lead = f"{len(history['epoch'])} epochs in the stages {stages}, which the bands mark."
    return Section("training", "Training", lead, [block for block in blocks if block is not None])


def stage_spans(stages: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each stage's name and the numbers of its first and last row."""
    spans = []
    for name, rows in groupby(range(len(stages)), key=lambda row: stages[row]):
        numbers = list(rows)
        spans.append((name, numbers[0], numbers[-1]))
    return spans


def _chart(
    history: dict[str, list[Any]],
    title: str,
    series: dict[str, list[Any]],
    y_title: str,
    note: str = "",
    tall: bool = False,
    **more: Any,
) -> Block | None:
    """Return a chart of columns over the epochs; None where they hold nothing."""
    known = {name: values for name, values in series.items() if np.isfinite(values).any()}
    if not known:
        return None
    marks = _stage_marks(history["epoch"], history["stage"])
    apart = {name: _apart(values, history["stage"]) for name, values in known.items()}
    figure = lines(_apart(history["epoch"], history["stage"]), apart, "epoch", y_title, **marks, **more)
    for trace in figure["data"]:
        trace["mode"] = "lines+markers"  # a stage may have a single epoch
    return Chart(
        title=title,
        sources=(str(HISTORY),),
        figure=figure,
        alt=f"Lines over the epochs. {'; '.join(_course(name, values) for name, values in known.items())}.",
        note=note,
        tall=tall,
    )


def _apart(values: Sequence[float], stages: Sequence[str]) -> list[float]:
    """Put a gap between stages: their numbers are not of the same thing."""
    parts = [[*values[first : last + 1], float("nan")] for _, first, last in stage_spans(stages)]
    return [value for part in parts for value in part][:-1]


def _course(name: str, values: Sequence[float]) -> str:
    finite = [value for value in values if np.isfinite(value)]
    return f"{name} from {finite[0]:.3g} to {finite[-1]:.3g}"


def _stage_marks(epochs: Sequence[float], stages: Sequence[str]) -> dict[str, Any]:
    """Return bands behind every other stage, and all their names above."""
    shapes, names = [], []
    for number, (name, first, last) in enumerate(stage_spans(stages)):
        x0, x1 = epochs[first] - 0.5, epochs[last] + 0.5
        if number % 2 == 0:
            band = {"type": "rect", "x0": x0, "x1": x1, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
            shapes.append({**band, "fillcolor": _BAND, "line": {"width": 0}})
        where = {"x": (x0 + x1) / 2, "yref": "paper", "y": 1, "yanchor": "top"}
        names.append({"text": name, "showarrow": False, **where})
    limits = {"range": [min(epochs) - 0.5, max(epochs) + 0.5]}
    return {"shapes": shapes, "annotations": names, "xaxis": limits}
