"""The command `detect`, also mounted as `s2hand detect`; imports wait inside, so that `--help` is quick."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s2hand.detect.console import show_phases, show_progress, user_errors
from s2hand.detect.variants import SCALES, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s2hand.detect.run import Summary
    from s2hand.detect.settings import DetectSettings

app = typer.Typer(
    help="Hand keypoints with confidences from photographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def commands() -> None:
    """Hand keypoints with confidences from photographs."""


@app.command()
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


@app.command()
def fit(
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled photographs: a folder in FreiHAND's layout, with train.h5 and eval.h5, or with labels.json."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the weights, slim.safetensors, and the run's state.")],
    preset: Annotated[
        Path | None, typer.Option(help="YAML file of settings, such as presets/slim-1.yaml; default: the defaults.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Train these weights further: `slim`, or a file; default: fresh ones.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: one per processor core.")] = None,
) -> None:
    """Train the slim network's weights. Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on from the last checkpoint"):
        from s2hand.detect.fit.loop import fit as train
        from s2hand.detect.fit.settings import read_settings
        from s2hand.detect.fit.sources import open_source

        settings = read_settings(preset)
        if workers is not None:
            settings = settings.model_copy(update={"workers": workers})
        with show_phases() as report:
            summary = train(settings, open_source(data), out, report, start)
        _print_fit(summary.weights, summary.samples, summary.metrics)


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


def _print_fit(weights: Path, samples: int, metrics: "Mapping[str, float]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    rows = {
        "weights": f"{weights}",
        "samples seen": f"{samples}",
        "held-back mean error": f"{metrics['mean']:.4f} of the hand's size",
        "joints within 0.1": f"{metrics['within_0.1']:.3f}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    Console(soft_wrap=True).print(table)


def main() -> None:
    """Run the command `detect`."""
    app()
