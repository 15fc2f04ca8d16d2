"""The command `s2hand doctor`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet
from s2hand.detect.console import EXIT_USER_ERROR, show_result, user_errors

if TYPE_CHECKING:
    from s2hand.pipeline.doctor.finding import Finding

COLOURS = {"ok": "green", "missing": "red", "broken": "red", "optional": "dim"}
READY = "everything is there that these parameters need"
_WIDTH_IN_FILES = 170
_USE_WIDTH = 24  # the other columns hold paths and addresses, which are better whole


def doctor(
    params: Annotated[Path, typer.Option(help="The parameters whose needs are looked at.")] = Path("params.yaml"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What is there, what is missing, where to get it. Exit code 1 where the parameters need what is not there."""
    with user_errors("nothing was changed", quiet):
        from s2hand.pipeline.doctor.examine import examine, wanting

        findings = examine(params)
        wrong = wanting(findings)
        show_result([asdict(finding) for finding in findings], as_json, lambda: _print_table(findings, wrong))
    if wrong:
        raise typer.Exit(EXIT_USER_ERROR)


def _print_table(findings: Sequence["Finding"], wrong: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_IN_FILES)
    table = Table(padding=(0, 1))
    for title in ("state", "what", "found", "used for", "what to do"):
        table.add_column(title, overflow="fold", max_width=_USE_WIDTH if title == "used for" else None)
    for one in findings:
        state = Text(one.state, style=COLOURS[one.state])
        table.add_row(state, *(Text(text) for text in (one.name, one.found, one.used_for, one.what_to_do)))
    console.print(table)
    typer.echo(f"needed, but missing or broken: {', '.join(wrong)}" if wrong else READY)
