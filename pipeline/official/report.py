"""An official evaluation as JSON, as the `scores.txt` of the official scripts, and as tables on the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from s2hand.datasets.files import replacing, write_json
from s2hand.pipeline.official.challenges import Challenge
from s2hand.pipeline.official.metrics import TITLES
from s2hand.pipeline.paper import COLUMNS

JSON, TEXT = "scores.json", "scores.txt"


@dataclass(frozen=True)
class Evaluation:
    """The numbers of a submission, by our names; `metrics` is None where the data set has no truth."""

    challenge: Challenge
    submission: Path
    images: int
    metrics: Mapping[str, float] | None


def write_scores(evaluation: Evaluation, folder: Path) -> None:
    """Write `scores.json`, and, where there are numbers, `scores.txt`, line by line as the official script does."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JSON, as_json(evaluation))
    (folder / TEXT).unlink(missing_ok=True)
    if evaluation.metrics is None:
        return
    with replacing(folder / TEXT) as temporary:
        temporary.write_text(as_text(evaluation), encoding="utf-8")


def as_text(evaluation: Evaluation) -> str:
    """Return the official names and numbers, with the official six decimals."""
    scores = evaluation.challenge.scores(evaluation.metrics or {})
    return "".join(f"{name}: {value:f}\n" for name, value in scores.items())


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything: official names, the numbers beside them, the paper's rows, and where they come from."""
    challenge, metrics = evaluation.challenge, evaluation.metrics
    return {
        "challenge": challenge.title,
        "images": evaluation.images,
        "submission": str(evaluation.submission),
        "official": None if metrics is None else challenge.scores(metrics),
        "beside": None if metrics is None else beside(challenge, metrics),
        "paper": {
            "source": challenge.paper.source,
            "rows": [{"method": row.method, **row.values} for row in challenge.paper.rows],
        },
    }


def beside(challenge: Challenge, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that the official script does not have."""
    return {key: value for key, value in metrics.items() if key not in challenge.names.values()}


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the official numbers, those beside them, and the paper's table with ours as its last row."""
    console = Console()
    challenge, metrics = evaluation.challenge, evaluation.metrics
    if metrics is not None:
        console.print(_numbers(evaluation, metrics))
        console.print(_comparison(challenge, metrics))
        _say(console, challenge.paper.source)
        if evaluation.images != challenge.paper.images:
            _say(console, f"Not the paper's images: here are {evaluation.images}; compare the order, not the values.")
    else:
        _say(
            console,
            f"{challenge.title}: no official numbers: they need the truth, evaluation_xyz.json and "
            "evaluation_verts.json, in the data set's folder",
        )
    _say(console, f"submission: {evaluation.submission}; its zip is taken at {challenge.page}")


def _numbers(evaluation: Evaluation, metrics: Mapping[str, float]) -> Table:
    challenge = evaluation.challenge
    table = _table(f"{challenge.title}, {evaluation.images} images: the official numbers")
    table.add_column("name", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("")
    for name, value in challenge.scores(metrics).items():
        table.add_row(name, f"{value:f}", TITLES[challenge.names[name]])
    table.add_row("beside them, by our names:", style="dim")
    for key, value in beside(challenge, metrics).items():
        table.add_row(key, f"{value:f}", TITLES[key], style="dim")
    return table


def _comparison(challenge: Challenge, metrics: Mapping[str, float]) -> Table:
    table = _table("After Procrustes alignment, beside the paper's")
    table.add_column("", no_wrap=True)
    table.add_column("labels")
    for _, heading in COLUMNS:
        table.add_column(heading.replace(" (", "\n("), justify="right", no_wrap=True)
    for row in challenge.paper.rows:
        cells = [_as_printed(row.values[key]) if key in row.values else "-" for key, _ in COLUMNS]
        table.add_row(row.method, row.supervision, *cells, style="dim")
    table.add_row("this submission", "", *(f"{metrics[key]:.3f}" if key in metrics else "-" for key, _ in COLUMNS))
    return table


def _as_printed(value: float) -> str:
    """Return the digits that the paper has: two after the point, or three."""
    return f"{value:.2f}" if round(value, 2) == value else f"{value:.3f}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
