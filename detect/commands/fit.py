"""`detect fit`: train the slim network's weights."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, Threads
from s2hand.detect.console import show_phases, show_summary, user_errors


def fit(
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled photographs: a folder in FreiHAND's layout, with train.h5 and eval.h5, or with labels.json."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the weights, slim.safetensors, and the run's state.")],
    params: Annotated[
        Path | None, typer.Option(help="YAML file of settings, such as presets/slim-1.yaml; default: the defaults.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Train these weights further: `slim`, or a file; default: fresh ones.")
    ] = None,
    workers: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the slim network's weights. Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on from the last checkpoint", quiet):
        from s2hand.detect.fit.loop import fit as train
        from s2hand.detect.fit.settings import FitSettings, read_settings
        from s2hand.detect.fit.sources import open_source

        settings = read_settings(params, FitSettings)
        if workers is not None:
            settings = settings.model_copy(update={"workers": workers})
        with show_phases() as report:
            done = train(settings, open_source(data), out, report, start)
        rows = {
            "weights": f"{done.weights}",
            "samples seen": f"{done.samples}",
            "held-back mean error": f"{done.metrics['mean']:.4f} of the hand's size",
            "joints within 0.1": f"{done.metrics['within_0.1']:.3f}",
        }
        show_summary(rows, {"weights": f"{done.weights}", "samples": done.samples, **done.metrics}, as_json)
