"""`detect fit`: train the slim network's weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.console import show_phases, user_errors

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        from s2hand.detect.fit.settings import FitSettings, read_settings
        from s2hand.detect.fit.sources import open_source

        settings = read_settings(preset, FitSettings)
        if workers is not None:
            settings = settings.model_copy(update={"workers": workers})
        with show_phases() as report:
            summary = train(settings, open_source(data), out, report, start)
        _print_fit(summary.weights, summary.samples, summary.metrics)


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
