"""`detect import`: labels that another program made, as keypoint shards."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.datasets.imports import FORMATS
from s2hand.detect.commands.options import AsJson, Quiet, Side
from s2hand.detect.console import show_progress, show_summary, user_errors


def import_labels(
    labels: Annotated[Path, typer.Argument(help="File of labels; openpose-json: a folder of them, too.")],
    images: Annotated[Path, typer.Option(help="Folder of the images that the labels name.")],
    out: Annotated[Path, typer.Option(help="Folder for the keypoint shards.")],
    format: Annotated[  # noqa: A002
        str, typer.Option(help=f"One of: {', '.join(FORMATS)}.", autocompletion=lambda: list(FORMATS))
    ],
    hand: Side = "right",
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard.")] = 1000,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take labels that were made elsewhere into keypoint shards, as `detect run` writes them."""
    with user_errors("run the same command again", quiet):
        from s2hand.datasets.imports import run

        with show_progress("importing") as report:
            made = run.import_labels(labels, images, out, format, hand, shard_size, report)
        rows = {
            "images": f"{made.images}",
            "hands": f"{made.rows}",
            "failures": f"{made.failures}" + (f", see {out / 'failures.parquet'}" if made.failures else ""),
            "keypoints": f"{out}",
        }
        facts = {"images": made.images, "hands": made.rows, "failures": made.failures, "out": f"{out}"}
        show_summary(rows, facts, as_json)
