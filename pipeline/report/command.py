"""`s2hand report`: a run as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet
from s2hand.detect.console import show_progress, show_summary, user_errors

_OUT = Path("report.html")  # beside what the last stage writes, which is DVC's to change


def report(
    out: Annotated[Path, typer.Option(help="The file to write, opened by any browser.")] = _OUT,
    project: Annotated[Path, typer.Option(help="The project's folder, in which `dvc repro` was run.")] = Path(),
    against: Annotated[
        str | None, typer.Option(help="A git revision, or another project's folder, to compare with.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Hands in the gallery: best, worst and random ones.")] = 64,
    choose: Annotated[list[str] | None, typer.Option(help="A photograph to show in any case; may be repeated.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write what a run made, learnt and got wrong as one HTML file."""
    with user_errors("no report was written", quiet):
        from s2hand.pipeline.report.build import Wanted, build_report

        wanted = Wanted(samples=samples, chosen=tuple(choose or ()), against=against)
        with show_progress("report") as progress:
            size = build_report(project, out, wanted, progress)
        rows = {"report": f"{out}, {size / 1e6:.1f} MB; open it in a browser"}
        show_summary(rows, {"out": f"{out}", "bytes": size}, as_json)
