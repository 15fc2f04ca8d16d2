"""`detect export`: keypoint shards in the formats of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.datasets.exports import FORMATS
from s2hand.detect.commands.options import AsJson, Quiet, Shards
from s2hand.detect.console import show_progress, show_summary, user_errors


def export(
    shards: Shards,
    out: Annotated[Path, typer.Option(help="File to write; openpose-json: folder.")],
    format: Annotated[  # noqa: A002
        str, typer.Option(help=f"One of: {', '.join(FORMATS)}.", autocompletion=lambda: list(FORMATS))
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write keypoints in the format of another program."""
    with user_errors("nothing was written; run the same command again", quiet):
        from s2hand.datasets.exports import export_keypoints

        with show_progress("exporting") as report:
            hands = export_keypoints(shards, out, format, overwrite, report)
        facts = {"hands": hands, "format": format, "out": f"{out}"}
        show_summary({"hands": f"{hands}", format: f"{out}"}, facts, as_json)
