"""`detect export`: keypoint shards in the formats of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.datasets.exports import FORMATS
from s2hand.detect.console import show_progress, user_errors


def export(
    shards: Annotated[Path, typer.Argument(help="Folder of keypoint shards, of a finished run.")],
    out: Annotated[Path, typer.Option(help="File to write; openpose-json: folder.")],
    format: Annotated[str, typer.Option(help=f"One of: {', '.join(FORMATS)}.")],  # noqa: A002
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Write keypoints in the format of another program."""
    with user_errors("nothing was written; run the same command again"):
        from s2hand.datasets.exports import export_keypoints

        with show_progress("exporting") as report:
            hands = export_keypoints(shards, out, format, overwrite, report)
        typer.echo(f"{'hands':<20} {hands}\n{format:<20} {out}")
