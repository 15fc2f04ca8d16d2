"""An outcome as a table on the terminal, as JSON with every number, and as a page to read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from s2hand.datasets.files import replacing, write_json
from s2hand.pipeline.experiments.outcome import Outcome

_NARROW = 6  # characters of a column of numbers on the terminal, so that eight of them fit in 80


def write_outcome(outcome: Outcome, folder: Path) -> None:
    """Write `<name>.json` and `<name>.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{outcome.name}.json", as_json(outcome))
    with replacing(folder / f"{outcome.name}.md") as temporary:
        temporary.write_text(as_markdown(outcome), encoding="utf-8")


def print_outcome(outcome: Outcome, console: Console | None = None) -> None:
    """Print the table, with the paper's numbers below each row that has some, and the notes."""
    console = console or Console()
    table = Table(title=outcome.title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("", min_width=8)
    for column in outcome.columns:
        table.add_column(column.heading, justify="right", min_width=_NARROW)
    for title, cells, ours in _lines(outcome):
        narrow = [cell.replace(" ± ", "\n±") for cell in cells]
        table.add_row(title, *narrow, style=None if ours else "dim")
    console.print(table)
    for note in _notes(outcome):
        console.print(f"- {note}", markup=False, highlight=False)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything: all numbers per seed, mean, standard deviation, the paper's, and how they came about."""
    return {
        "experiment": outcome.name,
        "title": outcome.title,
        "columns": {column.key: column.heading for column in outcome.columns},
        "rows": [
            {
                "title": row.title,
                **row.facts,
                "mean": row.mean(),
                "std": row.std(),
                "trials": [{**trial.facts, "metrics": dict(trial.metrics)} for trial in row.trials],
                "paper": {name: dict(values) for name, values in row.paper.items()},
            }
            for row in outcome.rows
        ],
        "notes": list(outcome.notes),
        "source": outcome.source,
        **outcome.about,
    }


def as_markdown(outcome: Outcome) -> str:
    """Return the page: the table, the notes, how the numbers came about."""
    headings = ["", *(column.heading for column in outcome.columns)]
    lines = [f"# {outcome.title}", "", _row(headings), _row(["---", *("---:" for _ in outcome.columns)])]
    for title, cells, ours in _lines(outcome):
        lines.append(_row([title, *cells] if ours else [f"*{title}*", *(cell and f"*{cell}*" for cell in cells)]))
    lines += ["", *(f"- {note}" for note in _notes(outcome)), ""]
    about = json.dumps(outcome.about, indent=1, ensure_ascii=False)
    lines += ["<details><summary>Parameters, hardware, date</summary>", "", "```json", about, "```", "", "</details>"]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _lines(outcome: Outcome) -> Iterator[tuple[str, list[str], bool]]:
    """Yield title and cells of each line of the table, and whether it is ours or the paper's."""
    for row in outcome.rows:
        yield row.title, [row.shown(column.key) for column in outcome.columns], True
        for name, values in row.paper.items():
            cells = [f"{values[column.key]:g}" if column.key in values else "" for column in outcome.columns]
            yield f"paper, {name}", cells, False


def _notes(outcome: Outcome) -> list[str]:
    most = max(len(row.trials) for row in outcome.rows)
    spread = f"Mean ± standard deviation over {most} seeds" if most > 1 else "One seed, so that no spread is known"
    return [
        f"{spread}; a seed decides first weights, order of the samples and augmentation, not the photographs.",
        *outcome.notes,
        f"The paper's numbers: {outcome.source}.",
    ]
