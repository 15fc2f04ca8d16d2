"""The commands `s2hand synthetic` and `s2hand scenes`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, checked
from s2hand.detect.console import duration, show_progress, show_summary, user_errors
from s2hand.pipeline.options import Processes, Seed

NOTHING_WRITTEN = "nothing was written; run the same command again"


def synthetic(
    out: Annotated[Path, typer.Option(help="Folder to create, in FreiHAND's layout.")],
    train: Annotated[int, typer.Option(min=0, help="Training hands; each gives `--versions` images.")] = 1000,
    evaluation: Annotated[int, typer.Option(min=0, help="Evaluation images.")] = 100,
    versions: Annotated[int, typer.Option(min=1, max=4, help="Images of a hand, on different backgrounds.")] = 4,
    size: Annotated[int, typer.Option(help="Pixels of a side.")] = 224,
    difficulty: Annotated[
        float,
        typer.Option(min=0, max=1, help="0: whole, sharp, upright hands; 1: seen from anywhere, hidden, blurred."),
    ] = 1.0,
    seed: Seed = 0,
    workers: Processes = 2,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make synthetic photographs of the open hand, with their truth."""
    with user_errors(NOTHING_WRITTEN, quiet):
        from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

        settings = checked(
            SyntheticSettings,
            {"image_size": "size"},
            train=train,
            evaluation=evaluation,
            versions=versions,
            image_size=size,
            difficulty=difficulty,
            seed=seed,
            workers=workers,
        )
        start = time.monotonic()
        with show_progress("photographs") as report:
            made = make_dataset(settings, out, report)
        seconds = time.monotonic() - start
        rows = {
            "training": f"{made.training_images} photographs of {made.training_hands} hands",
            "evaluation": f"{made.evaluation_hands} photographs",
            "time": duration(seconds),
            "folder": f"{out}",
        }
        facts = {
            "training": made.training_images,
            "evaluation": made.evaluation_hands,
            "seconds": round(seconds, 1),
            "out": f"{out}",
        }
        show_summary(rows, facts, as_json)


def scenes(
    out: Annotated[Path, typer.Option(help="Folder to create, for `detect fit-boxes`.")],
    hands: Annotated[int, typer.Option(min=1, help="Cut-out hands; a tenth more for evaluation, as of all.")] = 6000,
    people: Annotated[int, typer.Option(min=1, help="People without hands.")] = 1500,
    backgrounds: Annotated[int, typer.Option(min=1, help="Backgrounds.")] = 3000,
    seed: Seed = 0,
    workers: Processes = 2,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Render the pieces of synthetic scenes with hands, which `detect fit-boxes` puts together."""
    with user_errors(NOTHING_WRITTEN, quiet):
        from s2hand.pipeline.synthetic.scenes import SceneSettings, make_pieces

        settings = checked(
            SceneSettings, hands=hands, people=people, backgrounds=backgrounds, seed=seed, workers=workers
        )
        start = time.monotonic()
        with show_progress("pieces") as report:
            made = make_pieces(settings, out, report)
        seconds = time.monotonic() - start
        rows = {"pieces": f"{made}", "time": duration(seconds), "folder": f"{out}"}
        show_summary(rows, {"pieces": made, "seconds": round(seconds, 1), "out": f"{out}"}, as_json)
