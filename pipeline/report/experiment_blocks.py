"""What the experiments found: tables of ablation, supervision and keypoint sets, and the curves of Figure 4.

They are runs of their own, by `s2hand experiments`; each block says so, and how many seeds, photographs, and when.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from s2hand.datasets.files import DataError
from s2hand.pipeline.experiments.outcome import Row, Trial
from s2hand.pipeline.layout import RESULTS
from s2hand.pipeline.report.charts import COLOURS, Figure, lines, plain
from s2hand.pipeline.report.page import Block, Chart, Table
from s2hand.pipeline.report.project import Project

EXPERIMENTS = RESULTS / "experiments"
TABLES = ("ablation", "supervision")
KEYPOINT_SETS = EXPERIMENTS / "keypoint-sets.csv"

_DISTANCE, _STD = "distance_px", ", std"
_AT = 10.0  # pixels, of the sentence that says what the curves show


def experiment_blocks(project: Project) -> Iterator[Block]:
    """Yield what there is of the experiments. Raises DataError where a file is another than they write."""
    yield from _table(project, "keypoint-sets")
    yield from _curves(project)
    for name in TABLES:
        yield from _table(project, name)


def _table(project: Project, name: str) -> Iterator[Table]:
    """Yield an experiment's table, ours strong, and the paper's numbers below each row that has some."""
    path = EXPERIMENTS / f"{name}.json"
    found = project.json(path)
    if found is None:
        return
    try:
        rows = [_row(one) for one in found["rows"]]
        headings: Mapping[str, str] = found["columns"]
        cells: list[tuple[str, ...]] = []
        ours = []
        for row in rows:
            ours.append(len(cells))
            cells.append((row.title, *(row.shown(key) for key in headings)))
            for data_set, values in row.paper.items():
                cells.append((f"paper, {data_set}", *(f"{values[key]:g}" if key in values else "" for key in headings)))
        yield Table(
            title=found["title"],
            sources=(str(path),),
            columns=("", *headings.values()),
            rows=cells,
            strong=frozenset(ours),
            note=_note(name, found, rows),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{path}: expected what s2hand experiments {name} writes, found another file") from None


def _row(one: Mapping[str, Any]) -> Row:
    return Row(one["title"], tuple(Trial(trial["metrics"]) for trial in one["trials"]), one["paper"])


def _note(name: str, found: Mapping[str, Any], rows: list[Row]) -> str:
    """Say that it is not this run, what the numbers are, and where the paper's stand."""
    seeds = max(len(row.trials) for row in rows)
    spread = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed, so that no spread is known"
    day = str(found.get("date", "")).partition("T")[0]
    made = f"Not this run: made by s2hand experiments {name}{f' on {day}' if day else ''}."
    return " ".join((made, f"{spread}.", *found["notes"], f"The paper's numbers: {found['source']}."))


def _curves(project: Project) -> Iterator[Chart]:
    """Yield the curves of the keypoint sets, each with a band of one standard deviation over the seeds."""
    columns = project.columns(KEYPOINT_SETS)
    if columns is None:
        return
    titles = [name for name in columns if name != _DISTANCE and not name.endswith(_STD)]
    if _DISTANCE not in columns or not titles or not columns[_DISTANCE]:
        raise DataError(f"{KEYPOINT_SETS}: expected {_DISTANCE} and shares of joints, found {', '.join(columns)}")
    x = columns[_DISTANCE]
    figure = lines(
        x,
        {title: columns[title] for title in titles},
        "distance (px of a 224 px image)",
        "share of joints within it",
        yaxis={"range": [0, 1]},
    )
    bands = [
        _band(x, columns[title], columns[title + _STD], COLOURS[n % len(COLOURS)])
        for n, title in enumerate(titles)
        if title + _STD in columns
    ]
    shares = ", ".join(f"{title} {100 * np.interp(_AT, x, columns[title]):.0f} %" for title in titles)
    yield Chart(
        title="Curves of the keypoint sets (Figure 4)",
        sources=(str(KEYPOINT_SETS),),
        figure={**figure, "data": [*bands, *figure["data"]]},
        alt=f"Lines: share of the training images' joints by distance to the true ones. Within {_AT:g} px: {shares}.",
        note=f"Within {_AT:g} px: {shares}. Bands: one standard deviation over the seeds.",
    )


def _band(x: list[float], middle: list[float], width: list[float], colour: str) -> Figure:
    """Return the closed area around a curve, in its colour."""
    low, high = np.subtract(middle, width), np.add(middle, width)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": plain([*x, *x[::-1]]),
        "y": plain([*high, *low[::-1]]),
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.2,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
