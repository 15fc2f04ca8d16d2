"""`detect run`: a folder of photographs to keypoint shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s2hand.detect.console import show_progress, user_errors
from s2hand.detect.variants import SCALES, Variant

if TYPE_CHECKING:
    from s2hand.detect.run import Summary
    from s2hand.detect.settings import DetectSettings


def run(
    images: Annotated[Path, typer.Option(help="Folder of photographs of one hand each, read recursively.")],
    out: Annotated[Path, typer.Option(help="Folder for the keypoint shards.")],
    weights: Annotated[
        str,
        typer.Option(help="`slim`, or a weight file: a slim network's or OpenPose's hand_pose_model.pth."),
    ] = "slim",
    hand: Annotated[Literal["right", "left"], typer.Option(help="The hand that the images show.")] = "right",
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard.")] = 1000,
    sheet: Annotated[Path | None, typer.Option(help="Draw the keypoints on a contact sheet, NAME.png.")] = None,
    device: Annotated[str, typer.Option(help="`cpu`, `cuda`, `cuda:N`; `auto` takes a GPU if there is one.")] = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images at a time; default: what suits.")] = None,
    variant: Annotated[Variant, typer.Option(help="OpenPose weights: whose peaks to reproduce.")] = "openpose",
    scales: Annotated[str, typer.Option(help="OpenPose weights: heights of the network's input / 368.")] = ",".join(
        map(str, SCALES)
    ),
) -> None:
    """Detect the hand in each photograph of a folder. Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on; finished shards are kept"):
        from s2hand.detect.run import run_detection
        from s2hand.detect.sheet import check_sheet_name

        settings = _settings(
            weights=weights,
            hand=hand,
            shard_size=shard_size,
            device=device,
            batch_size=batch_size,
            variant=variant,
            scales=_numbers("scales", scales),
        )
        if sheet is not None:
            check_sheet_name(sheet)
        with show_progress("detecting") as report:
            summary = run_detection(images, out, settings, report)
        pages = _draw(images, out, sheet) if sheet is not None and summary.hands else []
        _print_summary(summary, out, pages)


def _draw(images: Path, out: Path, sheet: Path) -> list[Path]:
    from s2hand.detect.sheet import write_sheets

    with show_progress("drawing") as report:
        return write_sheets(images, out, sheet, report)


def _settings(**values: Any) -> "DetectSettings":
    """Check the options together; the message names the first wrong one."""
    from pydantic import ValidationError

    from s2hand.detect.settings import DetectSettings

    try:
        return DetectSettings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise ValueError(f"{option}: {first['msg']}, found {first['input']!r}") from None


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--{option}: expected numbers with commas between, found {text!r}") from None


def _print_summary(summary: "Summary", out: Path, pages: list[Path]) -> None:
    rows = {
        "images": f"{summary.images}",
        "from an earlier run": f"{summary.resumed}",
        "hands": f"{summary.hands}",
        "mean confidence": f"{summary.mean_confidence:.3f}",
        "failures": f"{summary.failures}" + (f", see {out / 'failures.parquet'}" if summary.failures else ""),
        "time": f"{summary.seconds:.1f} s, {summary.images_per_second:.1f} images/s",
        "keypoints": f"{out}",
        "contact sheet": ", ".join(str(page) for page in pages) or "none",
    }
    for name, value in rows.items():
        typer.echo(f"{name:<20} {value}")
