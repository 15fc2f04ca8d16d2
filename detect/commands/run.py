"""`detect run`: a folder of photographs to keypoint shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s2hand.detect.console import show_progress, user_errors
from s2hand.detect.variants import SCALES, Precision, Variant, Where

if TYPE_CHECKING:
    from s2hand.detect.run import Summary
    from s2hand.detect.settings import DetectSettings


def run(
    images: Annotated[Path, typer.Option(help="Folder of photographs and videos, read recursively; or one file.")],
    out: Annotated[Path, typer.Option(help="Folder for the keypoint shards.")],
    weights: Annotated[
        str,
        typer.Option(
            help="`slim`; `openpose`, as `detect weights fetch` has it; or a weight file: a slim network's or "
            "hand_pose_model.pth."
        ),
    ] = "slim",
    localize: Annotated[
        Where, typer.Option(help="Where the hands are: the `whole` image is one; `body`, `slim`: look for them.")
    ] = "whole",
    boxes: Annotated[Path | None, typer.Option(help="Where the hands are: a Parquet, CSV or COCO file.")] = None,
    box_scale: Annotated[float, typer.Option(help="Enlarge hand boxes; those that fit tightly want about 1.4.")] = 1.0,
    body_weights: Annotated[
        str, typer.Option(help="`--localize body`: `openpose-body`, as fetched, or the path of body_pose_model.pth.")
    ] = "openpose-body",
    min_confidence: Annotated[float, typer.Option(help="Leave out hands of a lower mean confidence.")] = 0.0,
    hand: Annotated[
        Literal["right", "left"], typer.Option(help="The hand that the images show, or boxes that do not say.")
    ] = "right",
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard.")] = 1000,
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace the keypoints of other images or parameters that OUT holds.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Draw the keypoints on a contact sheet, NAME.png.")] = None,
    device: Annotated[str, typer.Option(help="`cpu`, `cuda`, `cuda:N`; `auto` takes a GPU if there is one.")] = "auto",
    every: Annotated[int, typer.Option(min=1, help="Of videos, take every n-th frame.")] = 1,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Hands at a time; default: what suits.")] = None,
    precision: Annotated[
        Precision, typer.Option(help="What the network computes in; `auto`: bfloat16 where the hardware has it.")
    ] = "auto",
    compile_network: Annotated[
        bool, typer.Option("--compile", help="OpenPose weights: compile the network; pays after thousands of images.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine that share the work.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask cluster that does the work: its scheduler's address, tcp://HOST:8786.")
    ] = None,
    variant: Annotated[Variant, typer.Option(help="OpenPose weights: whose peaks to reproduce.")] = "openpose",
    scales: Annotated[str, typer.Option(help="OpenPose weights: heights of the network's input / 368.")] = ",".join(
        map(str, SCALES)
    ),
) -> None:
    """Detect the hands in the photographs of a folder. Killed or interrupted, the same command goes on.

    With more photographs in the folder, it detects those.
    """
    with user_errors("run the same command again to go on; finished shards are kept"):
        from s2hand.detect.run import run_detection
        from s2hand.detect.sheet import check_sheet_name

        settings = checked_settings(
            weights=weights,
            localize=localize,
            boxes=None if boxes is None else str(boxes),
            box_scale=box_scale,
            body_weights=body_weights,
            min_confidence=min_confidence,
            hand=hand,
            shard_size=shard_size,
            device=device,
            every=every,
            batch_size=batch_size,
            precision=precision,
            compile=compile_network,
            workers=workers,
            scheduler=scheduler,
            variant=variant,
            scales=_numbers("scales", scales),
        )
        if sheet is not None:
            check_sheet_name(sheet, images)
        with show_progress("detecting") as report:
            summary = run_detection(images, out, settings, report, anew=anew)
        pages = _draw(summary.root, out, sheet) if sheet is not None and summary.hands else []
        _print_summary(summary, out, pages)


def _draw(images: Path, out: Path, sheet: Path) -> list[Path]:
    from s2hand.detect.sheet import write_sheets

    with show_progress("drawing") as report:
        return write_sheets(images, out, sheet, report)


def checked_settings(**values: Any) -> "DetectSettings":
    """Check the options together; the message names the first wrong one."""
    from pydantic import ValidationError

    from s2hand.detect.settings import DetectSettings

    try:
        return DetectSettings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if not first["loc"]:  # of options together
            raise ValueError(str(first["ctx"]["error"])) from None
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
        "mean confidence": f"{summary.mean_confidence:.3f}" if summary.hands else "none",
        "failures": f"{summary.failures}" + (f", see {out / 'failures.parquet'}" if summary.failures else ""),
        "time": f"{summary.seconds:.1f} s, {summary.images_per_second:.1f} images/s",
        "keypoints": f"{out}",
        "contact sheet": ", ".join(str(page) for page in pages) or "none",
    }
    if summary.boxes_unused:
        rows["not in the folder"] = f"{summary.boxes_unused} images that the file of boxes names"
    for name, value in rows.items():
        typer.echo(f"{name:<20} {value}")
