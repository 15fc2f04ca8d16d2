"""`detect run`: a folder of photographs to keypoint shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.commands.options import (
    OPENPOSE,
    SPEED,
    AsJson,
    BodyWeights,
    Boxes,
    BoxScale,
    Device,
    Every,
    Images,
    Localize,
    MinConfidence,
    Quiet,
    Side,
    Weights,
    checked,
)
from s2hand.detect.console import show_progress, show_summary, speed, user_errors
from s2hand.detect.variants import SCALES, Precision, Variant

if TYPE_CHECKING:
    from s2hand.detect.run import Summary


def run(
    images: Images,
    out: Annotated[Path, typer.Option(help="Folder for the keypoint shards.")],
    weights: Weights = "slim",
    localize: Localize = "whole",
    boxes: Boxes = None,
    box_scale: BoxScale = 1.0,
    body_weights: BodyWeights = "openpose-body",
    min_confidence: MinConfidence = None,
    hand: Side = "right",
    shard_size: Annotated[int, typer.Option(min=1, help="Images per shard.")] = 1000,
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace the keypoints of other images or parameters that OUT holds.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Draw the keypoints on a contact sheet, NAME.png.")] = None,
    device: Device = "auto",
    every: Every = 1,
    batch_size: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=SPEED, help="Hands at a time; default: what suits.")
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            rich_help_panel=SPEED, help="What the network computes in; `auto`: bfloat16 where the hardware has it."
        ),
    ] = "auto",
    compile_network: Annotated[
        bool,
        typer.Option(
            "--compile", rich_help_panel=OPENPOSE, help="Compile the network: pays after thousands of images."
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, rich_help_panel=SPEED, help="Processes of this machine that share the work.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=SPEED, help="Dask cluster that does the work: its scheduler's address, tcp://HOST:8786."
        ),
    ] = None,
    variant: Annotated[Variant, typer.Option(rich_help_panel=OPENPOSE, help="Whose peaks to reproduce.")] = "openpose",
    scales: Annotated[
        str, typer.Option(rich_help_panel=OPENPOSE, help="Heights of the network's input / 368.")
    ] = ",".join(map(str, SCALES)),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Detect the hands in the photographs of a folder. Killed or interrupted, the same command goes on.

    With more photographs in the folder, it detects those.
    """
    with user_errors("run the same command again to go on; finished shards are kept", quiet):
        from s2hand.detect.run import run_detection
        from s2hand.detect.settings import DetectSettings
        from s2hand.detect.sheet import check_sheet_name

        settings = checked(
            DetectSettings,
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
        show_summary(_rows(summary, out, pages), _facts(summary, out, pages), as_json)


def _draw(images: Path, out: Path, sheet: Path) -> list[Path]:
    from s2hand.detect.sheet import write_sheets

    with show_progress("drawing") as report:
        return write_sheets(images, out, sheet, report)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--{option}: expected numbers with commas between, found {text!r}") from None


def _rows(summary: "Summary", out: Path, pages: list[Path]) -> dict[str, str]:
    rows = {
        "images": f"{summary.images}",
        "from an earlier run": f"{summary.resumed}",
        "hands": f"{summary.hands}",
        "mean confidence": f"{summary.mean_confidence:.3f}" if summary.hands else "none",
        "failures": f"{summary.failures}" + (f", see {out / 'failures.parquet'}" if summary.failures else ""),
        "time": speed(summary.seconds, summary.images - summary.resumed, "images"),
        "keypoints": f"{out}",
        "contact sheet": ", ".join(str(page) for page in pages) or "none",
    }
    if summary.boxes_unused:
        rows["not in the folder"] = f"{summary.boxes_unused} images that the file of boxes names"
    return rows


def _facts(summary: "Summary", out: Path, pages: list[Path]) -> dict[str, object]:
    return {
        "images": summary.images,
        "resumed": summary.resumed,
        "hands": summary.hands,
        "mean_confidence": round(summary.mean_confidence, 4) if summary.hands else None,
        "failures": summary.failures,
        "boxes_unused": summary.boxes_unused,
        "seconds": round(summary.seconds, 1),
        "images_per_second": round(summary.images_per_second, 1),
        "out": f"{out}",
        "sheets": [str(page) for page in pages],
    }
