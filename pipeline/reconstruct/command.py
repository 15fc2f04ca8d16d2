"""`s2hand reconstruct`: a folder of photographs to hands in 3D."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2hand.detect.commands.options import (
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
from s2hand.detect.console import show_phases, show_summary, speed, user_errors
from s2hand.pipeline.options import Checkpoint, HandModel
from s2hand.pipeline.reconstruct.formats import FORMATS

CAMERAS = "Cameras"

if TYPE_CHECKING:
    from s2hand.pipeline.reconstruct.run import Summary
    from s2hand.pipeline.reconstruct.settings import ReconstructSettings


def reconstruct(
    images: Images,
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="Folder for the hands: tables, meshes, overlays.")],
    hand_model: HandModel = "open",
    weights: Weights = "slim",
    localize: Localize = "whole",
    boxes: Boxes = None,
    box_scale: BoxScale = 1.0,
    body_weights: BodyWeights = "openpose-body",
    min_confidence: MinConfidence = None,
    hand: Side = "right",
    intrinsics: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=CAMERAS, help="JSON file with the cameras' K; without it, Exif, else an assumption."
        ),
    ] = None,
    field_of_view: Annotated[
        float,
        typer.Option(rich_help_panel=CAMERAS, help="Degrees across the longer side, assumed where nothing tells."),
    ] = 50.0,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            autocompletion=lambda: [*FORMATS, "none"],
            help=f"Mesh files, with commas between: {', '.join(FORMATS)}; or none.",
        ),
    ] = "glb",
    overlays: Annotated[bool, typer.Option(help="Draw the hands over each photograph.")] = True,
    refine: Annotated[bool, typer.Option("--refine", help="Fit each hand to its keypoints and pixels.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, rich_help_panel=SPEED, help="Hands at a time.")] = 64,
    shard_size: Annotated[int, typer.Option(min=1, help="Photographs per file of hands: what a kill costs.")] = 200,
    every: Every = 1,
    device: Device = "auto",
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace hands of another checkpoint or parameters that OUT holds.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Reconstruct the hands in one's own photographs. Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on; finished hands are kept", quiet):
        from s2hand.detect.settings import DetectSettings
        from s2hand.pipeline.reconstruct.run import run_reconstruction
        from s2hand.pipeline.reconstruct.settings import ReconstructSettings

        detect = checked(
            DetectSettings,
            weights=weights,
            localize=localize,
            boxes=None if boxes is None else str(boxes),
            box_scale=box_scale,
            body_weights=body_weights,
            min_confidence=min_confidence,
            hand=hand,
            shard_size=shard_size,
            every=every,
            device=device,
        )
        settings = checked(
            ReconstructSettings,
            {"formats": "format", "hand": "hand-model"},
            checkpoint=checkpoint,
            hand=hand_model,
            device=device,
            detect=detect,
            intrinsics=intrinsics,
            field_of_view=field_of_view,
            formats=() if formats == "none" else tuple(formats.split(",")),
            overlays=overlays,
            batch_size=batch_size,
            refine=_refinement() if refine else None,
        )
        with show_phases() as report:
            summary = run_reconstruction(images, out, settings, report, anew)
        show_summary(_rows(summary, out, settings), _facts(summary, out), as_json)


def _refinement() -> Any:
    from s2hand.train.refine_settings import RefineSettings

    return RefineSettings(pixels=True)


def _rows(summary: "Summary", out: Path, settings: "ReconstructSettings") -> dict[str, str]:
    found = summary.detected
    earlier = summary.hands - summary.made
    meshes = ", ".join(settings.formats)
    return {
        "photographs": f"{found.images}",
        "hands": f"{summary.hands}" + (f", {earlier} of them from an earlier run" if earlier else ""),
        "mean confidence": f"{found.mean_confidence:.3f}" if summary.hands else "none",
        "failures": f"{found.failures}" + (f", see {out / 'keypoints/failures.parquet'}" if found.failures else ""),
        "detection": speed(found.seconds, found.images - found.resumed, "photographs"),
        "reconstruction": speed(summary.seconds, summary.made, "hands"),
        "tables": f"{out}/hands-*.parquet",
        "meshes": f"{out / 'meshes'} ({meshes})" if meshes else "none",
        "overlays": f"{out / 'overlays'}" if settings.overlays else "none",
        "contact sheet": f"{out / summary.sheet.name}" if summary.sheet else "none",
    }


def _facts(summary: "Summary", out: Path) -> dict[str, Any]:
    found = summary.detected
    return {
        "images": found.images,
        "hands": summary.hands,
        "made": summary.made,
        "mean_confidence": round(found.mean_confidence, 4) if summary.hands else None,
        "failures": found.failures,
        "seconds_detection": round(found.seconds, 1),
        "seconds_reconstruction": round(summary.seconds, 1),
        "out": f"{out}",
        "sheet": f"{out / summary.sheet.name}" if summary.sheet else None,
    }
