"""`detect fit-boxes`: train the weights of the finder of hands."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.console import show_phases, user_errors


def fit_boxes(
    data: Annotated[Path, typer.Option(help="Pieces of scenes, as `s2hand scenes` writes them.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights, slim_boxes.safetensors, and the run's state.")],
    preset: Annotated[
        Path | None, typer.Option(help="YAML file of settings, such as presets/slim-boxes.yaml; default: the defaults.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Begin with these weights of the slim keypoint network: `slim`, or a file; default: none."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: one per processor core.")] = None,
) -> None:
    """Train the finder of hands (--localize slim). Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on from the last checkpoint"):
        from s2hand.detect.boxes.fit.loop import fit_boxes as train
        from s2hand.detect.boxes.fit.settings import BoxesSettings
        from s2hand.detect.fit.settings import read_settings

        settings = read_settings(preset, BoxesSettings)
        if workers is not None:
            settings = settings.model_copy(update={"workers": workers})
        with show_phases() as report:
            summary = train(settings, data, out, report, start)
        rows = {
            "weights": f"{summary.weights}",
            "scenes seen": f"{summary.samples}",
            "held-back precision": f"{summary.metrics['precision']:.3f}",
            "held-back recall": f"{summary.metrics['recall']:.3f}",
            "sides right": f"{summary.metrics['sides']:.3f}",
        }
        for name, value in rows.items():
            typer.echo(f"{name:<20} {value}")
