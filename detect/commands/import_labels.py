"""`detect import`: labels that another program made, as keypoint shards."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from s2hand.datasets.imports import FORMATS
from s2hand.detect.console import show_progress, user_errors


def import_labels(
    labels: Annotated[Path, typer.Argument(help="File of labels; openpose-json: a folder of them, too.")],
    images: Annotated[Path, typer.Option(help="Folder of the images that the labels name.")],
    out: Annotated[Path, typer.Option(help="Folder for the keypoint shards.")],
    format: Annotated[str, typer.Option(help=f"One of: {', '.join(FORMATS)}.")],  # noqa: A002
    hand: Annotated[
        Literal["right", "left"], typer.Option(help="The hand that labels show that do not say.")
    ] = "right",
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard.")] = 1000,
) -> None:
    """Take labels that were made elsewhere into keypoint shards, as `detect run` writes them."""
    with user_errors("run the same command again"):
        from s2hand.datasets.imports import run

        with show_progress("importing") as report:
            manifest = run.import_labels(labels, images, out, format, hand, shard_size, report)
        rows = {
            "images": f"{manifest.images}",
            "hands": f"{manifest.rows}",
            "failures": f"{manifest.failures}" + (f", see {out / 'failures.parquet'}" if manifest.failures else ""),
            "keypoints": f"{out}",
        }
        for name, value in rows.items():
            typer.echo(f"{name:<20} {value}")
