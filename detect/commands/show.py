"""`detect show`: contact sheets of a finished run, sorted and filtered."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from s2hand.detect.commands.options import AsJson, Quiet, Shards
from s2hand.detect.console import show_progress, show_summary, user_errors


def show(
    shards: Shards,
    images: Annotated[Path, typer.Option(help="Folder of photographs, or the one file, that the run was made from.")],
    out: Annotated[
        Path, typer.Option(help="The sheet, NAME.png, not among the photographs; further pages are NAME.page2.png, ...")
    ],
    sort: Annotated[
        Literal["name", "confidence", "-confidence", "size", "-size"],
        typer.Option(help="What comes first; a minus: the most confident, the largest."),
    ] = "name",
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Mean over a hand's joints.")] = 0.0,
    max_confidence: Annotated[float, typer.Option(min=0, max=1, help="The same, at most.")] = 1.0,
    hand: Annotated[Literal["right", "left"] | None, typer.Option(help="Only right or left hands.")] = None,
    match: Annotated[str | None, typer.Option(help="Only images of such names, as in 'holiday/*.jpg'.")] = None,
    suspicious: Annotated[
        bool, typer.Option("--suspicious", help="Only hands that `detect stats` finds suspicious, and why.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, help="Tiles at most: the first; sorted by name, spread over all.")] = 400,
    crops: Annotated[bool, typer.Option("--crops", help="Each hand's box cut out, not whole photographs.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Draw the keypoints of a finished run on its photographs: contact sheets to look at."""
    with user_errors("run the same command again", quiet):
        from s2hand.detect.selection import Selection
        from s2hand.detect.sheet import write_sheets

        selection = Selection(sort, min_confidence, max_confidence, hand, match, suspicious, most)
        with show_progress("drawing") as report:
            pages = [str(page) for page in write_sheets(images, shards, out, report, selection, crops)]
        show_summary({"contact sheet": ", ".join(pages)}, {"sheets": pages}, as_json)
