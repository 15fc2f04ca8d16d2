"""Metrics: how good the hands are, beside a constant hand, the detector and the paper; where the errors are."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from s2hand.pipeline.layout import METRICS, PCK, PER_JOINT
from s2hand.pipeline.paper import COLUMNS as PAPER_COLUMNS
from s2hand.pipeline.paper import TABLE_2, TABLE_3, Comparison
from s2hand.pipeline.report.charts import lines
from s2hand.pipeline.report.drawn_hand import joint_errors
from s2hand.pipeline.report.experiment_blocks import experiment_blocks
from s2hand.pipeline.report.made_up import is_synthetic
from s2hand.pipeline.report.page import Block, Chart, Section, Table
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.units import CM, HAND_SIZES, unit_of
from s2hand.pipeline.table import COLUMNS, metric_rows, read_metrics

_SERIES = {
    "network": "network",
    "network{}_aligned": "network, aligned",
    "constant": "constant hand",
    "constant{}_aligned": "constant hand, aligned",
}
_ALIGNED = "Aligned: after moving, turning and scaling each hand onto the true one (Procrustes). "


def metrics_section(project: Project) -> Section | None:
    """Return the run's numbers and curves; what is not there is left out and said. None without metrics.

    Raises DataError for broken files.
    """
    path = project.find(METRICS)
    if path is None:
        return None
    metrics = read_metrics(path)
    blocks: list[Block] = [_table(metrics), _paper(project, metrics)]
    blocks += [chart for points in ("joints", "vertices") for chart in _curves(project, points, unit_of(metrics))]
    per_joint = project.columns(PER_JOINT)
    if per_joint is not None:
        blocks.append(joint_errors(per_joint, unit_of(metrics)))
    missing = [str(file) for file in (PCK, PER_JOINT) if project.find(file) is None]
    said = f" Left out, as dvc repro has not made them: {', '.join(missing)}." if missing else ""
    return Section("metrics", "Metrics", _lead(metrics) + said, [*blocks, *experiment_blocks(project)])


def _lead(metrics: Mapping[str, Any]) -> str:
    """Say the main numbers in a sentence."""
    hands, network, constant = metrics["hands"], metrics["network"], metrics.get("constant", {})
    if "root_mpjpe_cm" in network:
        parts = {"root_mpjpe_cm": "relative to the wrist", "pa_mpjpe_cm": "after alignment"}
        errors = [
            f"{network[key]:.2f} cm {how}" + (f" (constant hand: {constant[key]:.2f})" if key in constant else "")
            for key, how in parts.items()
        ]
        return f"{hands} hands were held back: the network's joints are off by {' and '.join(errors)}."
    share = network.get("agreement_of_box")
    said = "" if share is None else f": on average the joints are {share:.3f} hand sizes from the detections"
    return f"{hands} hands were held back; no truth is known of them{said}."


def _table(metrics: Mapping[str, Any]) -> Table:
    found = metrics.get("detector", {}).get("found")
    detected = "" if found is None else f" The detector found {100 * found:.1f} % of the joints."
    return Table(
        title="All metrics",
        sources=(str(METRICS),),
        columns=("metric", *(title for _, title in COLUMNS)),
        rows=metric_rows(metrics),
        note=f"{_ALIGNED if unit_of(metrics) == CM else ''}The constant hand is the mean of the very truth, or of the "
        "detections where there is none, that it is measured on: what can be had without looking at a photograph."
        f"{detected} docs/evaluation.md explains each.",
    )


def _paper(project: Project, metrics: Mapping[str, Any]) -> Table:
    """Return the paper's table of the data set with this run as its last row; the FreiHAND one for all other data."""
    paper = TABLE_3 if str(metrics["dataset"]).startswith("ho3d") else TABLE_2
    network = metrics["network"]
    rows = [
        (one.method, one.supervision, *(_digits(one.values.get(key), key) for key, _ in PAPER_COLUMNS))
        for one in paper.rows
    ]
    known = any(key in network for key, _ in PAPER_COLUMNS)
    if known:
        rows.append(("this run", "none", *(_digits(network.get(key), key) for key, _ in PAPER_COLUMNS)))
    return Table(
        title="Beside the paper's numbers, after alignment",
        sources=(str(METRICS), paper.source),
        columns=("method", "3D or 2D labels", *(heading for _, heading in PAPER_COLUMNS)),
        rows=rows,
        strong=frozenset({len(rows) - 1}) if known else frozenset(),
        note=_paper_note(project, metrics, paper, known),
    )


def _paper_note(project: Project, metrics: Mapping[str, Any], paper: Comparison, known: bool) -> str:
    """Say whether the numbers can be compared."""
    if not known:
        return (
            f"The paper's numbers, on {paper.images} test images of {paper.dataset}. This run has none to stand beside "
            "them, as no truth is known of its photographs."
        )
    if metrics["hands"] == paper.images and not is_synthetic(project):
        return f"The paper's numbers and this run's are of the same {paper.images} test images of {paper.dataset}."
    photographs = "synthetic photographs" if is_synthetic(project) else "photographs"
    return (
        f"Not comparable: the paper's numbers are of {paper.images} test images of {paper.dataset}, this run's of "
        f"{metrics['hands']} {photographs} of its own. They only show what such numbers are like."
    )


def _digits(value: float | None, key: str) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if key.endswith("_cm") else f"{value:.3f}".rstrip("0").ljust(4, "0")


def _curves(project: Project, points: str, unit: str) -> Iterator[Block]:
    """Yield the shares of joints or vertices within a distance; nothing where they were not measured."""
    columns = project.columns(PCK) or {}
    infix = "" if points == "joints" else "_vertices"
    names = {name.format(infix) if "{}" in name else name + infix: title for name, title in _SERIES.items()}
    series = {title: columns[name] for name, title in names.items() if name in columns}
    if not series or not columns.get("distance"):
        return
    x, measured = columns["distance"], unit == CM
    at, x_unit = (20.0, "mm") if measured else (0.1, HAND_SIZES)
    shares = "; ".join(f"{title} {100 * np.interp(at, x, values):.0f} %" for title, values in series.items())
    truth = "the true ones" if measured else "the detections"
    whence = "relative to the wrist" if measured else "no truth is known"
    yield Chart(
        title=f"Share of {points} within a distance",
        sources=(str(PCK),),
        figure=lines(x, series, f"distance to {truth} ({x_unit})", f"share of {points}", yaxis={"range": [0, 1]}),
        alt=f"Lines: share of the {points} by their distance to {truth}. Within {at:g} {x_unit}: {shares}.",
        note=f"Within {at:g} {x_unit} ({whence}{', or aligned' if measured else ''}): {shares}."
        + _without_vertices(columns, points, measured),
    )


def _without_vertices(columns: Mapping[str, Any], points: str, measured: bool) -> str:
    if points != "joints" or "network_vertices" in columns or not measured:
        return ""
    return f" {PCK} has no vertices: their truth is not known, or an older version wrote it."
