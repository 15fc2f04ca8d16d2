"""`detect fit-boxes`: train the weights of the finder of hands."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, Threads
from s2hand.detect.console import show_phases, show_summary, user_errors


def fit_boxes(
    data: Annotated[Path, typer.Option(help="Pieces of scenes, as `s2hand scenes` writes them.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights, slim_boxes.safetensors, and the run's state.")],
    params: Annotated[
        Path | None, typer.Option(help="YAML file of settings, such as presets/slim-boxes.yaml; default: the defaults.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Begin with these weights of the slim keypoint network: `slim`, or a file; default: none."),
    ] = None,
    workers: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the finder of hands (--localize slim). Killed or interrupted, the same command goes on."""
    with user_errors("run the same command again to go on from the last checkpoint", quiet):
        from s2hand.detect.boxes.fit.loop import fit_boxes as train
        from s2hand.detect.boxes.fit.settings import BoxesSettings
        from s2hand.detect.fit.settings import read_settings

        settings = read_settings(params, BoxesSettings)
        if workers is not None:
            settings = settings.model_copy(update={"workers": workers})
        with show_phases() as report:
            done = train(settings, data, out, report, start)
        rows = {
            "weights": f"{done.weights}",
            "scenes seen": f"{done.samples}",
            "held-back precision": f"{done.metrics['precision']:.3f}",
            "held-back recall": f"{done.metrics['recall']:.3f}",
            "sides right": f"{done.metrics['sides']:.3f}",
        }
        show_summary(rows, {"weights": f"{done.weights}", "samples": done.samples, **done.metrics}, as_json)
