"""`s2hand reconstruct`: a folder of photographs to hands in 3D."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s2hand.detect.console import duration, show_phases, user_errors
from s2hand.detect.variants import Where
from s2hand.pipeline.reconstruct.formats import FORMATS

if TYPE_CHECKING:
    from s2hand.pipeline.reconstruct.run import Summary
    from s2hand.pipeline.reconstruct.settings import ReconstructSettings


def reconstruct(
    images: Annotated[Path, typer.Option(help="Folder of photographs and videos, read recursively; or one file.")],
    checkpoint: Annotated[Path, typer.Option(help="A training's folder, or a file of weights in it.")],
    out: Annotated[Path, typer.Option(help="Folder for the hands: tables, meshes, overlays.")],
    hand: Annotated[str, typer.Option(help="The hand model it was trained with: `open`, or a file.")] = "open",
    weights: Annotated[str, typer.Option(help="What detects keypoints, as for `detect run`.")] = "slim",
    localize: Annotated[
        Where, typer.Option(help="Where the hands are: the `whole` image is one; `body`, `slim`: look for them.")
    ] = "whole",
    boxes: Annotated[Path | None, typer.Option(help="Where the hands are: a Parquet, CSV or COCO file.")] = None,
    box_scale: Annotated[float, typer.Option(help="Enlarge hand boxes; those that fit tightly want about 1.4.")] = 1.0,
    body_weights: Annotated[
        str, typer.Option(help="`--localize body`: `openpose-body`, as fetched, or the path of body_pose_model.pth.")
    ] = "openpose-body",
    min_confidence: Annotated[float, typer.Option(help="Leave out hands of a lower mean confidence.")] = 0.0,
    side: Annotated[
        Literal["right", "left"], typer.Option(help="The hand that the images show, or boxes that do not say.")
    ] = "right",
    intrinsics: Annotated[
        Path | None, typer.Option(help="JSON file with the cameras' K; without it, Exif, else an assumption.")
    ] = None,
    field_of_view: Annotated[
        float, typer.Option(help="Degrees across the longer side, assumed where nothing tells.")
    ] = 50.0,
    formats: Annotated[
        str, typer.Option("--format", help=f"Mesh files, with commas between: {', '.join(FORMATS)}; or none.")
    ] = "glb",
    overlays: Annotated[bool, typer.Option(help="Draw the hands over each photograph.")] = True,
    refine: Annotated[bool, typer.Option("--refine", help="Fit each hand to its keypoints and pixels.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Hands at a time.")] = 64,
    shard_size: Annotated[int, typer.Option(min=1, help="Photographs per file of hands: what a kill costs.")] = 200,
    every: Annotated[int, typer.Option(min=1, help="Of videos, take every n-th frame.")] = 1,
    device: Annotated[str, typer.Option(help="`cpu`, `cuda`, `cuda:N`; `auto` takes a GPU if there is one.")] = "auto",
    anew: Annotated[
        bool, typer.Option("--anew", help="Replace hands of another checkpoint or parameters that OUT holds.")
    ] = False,
) -> None:
    """Reconstruct the hands in one's own photographs. Killed or interrupted, the same command goes on.

    Example: s2hand reconstruct --images DIR --checkpoint outputs/model --out hands --localize slim
    """
    with user_errors("run the same command again to go on; finished hands are kept"):
        from s2hand.detect.commands.run import checked_settings
        from s2hand.pipeline.reconstruct.run import run_reconstruction

        detect = checked_settings(
            weights=weights,
            localize=localize,
            boxes=None if boxes is None else str(boxes),
            box_scale=box_scale,
            body_weights=body_weights,
            min_confidence=min_confidence,
            hand=side,
            shard_size=shard_size,
            every=every,
            device=device,
        )
        settings = _settings(
            checkpoint=checkpoint,
            hand=hand,
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
        _print_summary(summary, out, settings)


def _refinement() -> Any:
    from s2hand.train.refine_settings import RefineSettings

    return RefineSettings(pixels=True)


def _settings(**values: Any) -> "ReconstructSettings":
    """Check the options together; the message names the first wrong one."""
    from pydantic import ValidationError

    from s2hand.pipeline.reconstruct.settings import ReconstructSettings

    try:
        return ReconstructSettings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = {"formats": "format"}.get(str(first["loc"][0]), str(first["loc"][0])).replace("_", "-")
        problem = (
            first["ctx"]["error"] if first["type"] == "value_error" else f"{first['msg']}, found {first['input']!r}"
        )
        raise ValueError(f"--{option}: {problem}") from None


def _print_summary(summary: "Summary", out: Path, settings: "ReconstructSettings") -> None:
    found = summary.detected
    earlier = summary.hands - summary.made
    meshes = ", ".join(settings.formats)
    rows = {
        "photographs": f"{found.images}",
        "hands": f"{summary.hands}" + (f", {earlier} of them from an earlier run" if earlier else ""),
        "mean confidence": f"{found.mean_confidence:.3f}" if summary.hands else "none",
        "failures": f"{found.failures}" + (f", see {out / 'keypoints/failures.parquet'}" if found.failures else ""),
        "detection": _speed(found.seconds, found.images - found.resumed, "photographs"),
        "reconstruction": _speed(summary.seconds, summary.made, "hands"),
        "tables": f"{out}/hands-*.parquet",
        "meshes": f"{out / 'meshes'} ({meshes})" if meshes else "none",
        "overlays": f"{out / 'overlays'}" if settings.overlays else "none",
        "contact sheet": f"{out / summary.sheet.name}" if summary.sheet else "none",
    }
    for name, value in rows.items():
        typer.echo(f"{name:<20} {value}")


def _speed(seconds: float, count: int, what: str) -> str:
    return f"{duration(seconds)}, {count / max(seconds, 1e-9):.1f} {what}/s" if count else "from an earlier run"
