"""The command `s2hand`. Imports wait inside the commands, so that `--help` answers at once."""

import importlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.cli import app as detect_app
from s2hand.detect.console import show_progress, user_errors
from s2hand.pipeline.checkpoint_cli import app as checkpoint_app
from s2hand.pipeline.doctor.command import doctor
from s2hand.pipeline.experiments.cli import app as experiments_app
from s2hand.pipeline.official.command import evaluate
from s2hand.pipeline.reconstruct.command import reconstruct
from s2hand.pipeline.report.command import report
from s2hand.pipeline.train_cli import AFTER_INTERRUPT
from s2hand.pipeline.train_cli import app as train_app

app = typer.Typer(
    help="From a folder of hand photographs to a trained, evaluated 3D hand network, without annotation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(detect_app, name="detect")
app.add_typer(train_app, name="train")
app.add_typer(checkpoint_app, name="checkpoint")
app.add_typer(experiments_app, name="experiments")
app.command()(doctor)
app.command()(evaluate)
app.command()(reconstruct)
app.command()(report)


class Stage(StrEnum):
    """The stages of dvc.yaml; each is a module in `pipeline/stages` with a function `run`."""

    prepare = "prepare"
    detect = "detect"
    pack = "pack"
    train = "train"
    evaluate = "evaluate"
    report = "report"


@app.command()
def stage(name: Annotated[Stage, typer.Argument(help="The stage's name in dvc.yaml.")]) -> None:
    """Run one stage of the pipeline as `dvc repro` does, with the parameters in params.yaml."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.stage_runs import noted

        with noted(name):
            importlib.import_module(f"s2hand.pipeline.stages.{name}").run()


@app.command()
def metrics(
    file: Annotated[Path, typer.Option(help="The metrics that the evaluate stage wrote.")] = Path(
        "results/metrics.json"
    ),
) -> None:
    """Print the table of metrics: the network, the constant hand, the detector."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.table import print_metrics

        print_metrics(file)


@app.command()
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
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same photographs.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
) -> None:
    """Make synthetic photographs of the open hand. Example: s2hand synthetic --out hands --train 2000."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

        settings = SyntheticSettings(
            train=train,
            evaluation=evaluation,
            versions=versions,
            image_size=size,
            difficulty=difficulty,
            seed=seed,
            workers=workers,
        )
        with show_progress("photographs") as report:
            make_dataset(settings, out, report)


@app.command()
def scenes(
    out: Annotated[Path, typer.Option(help="Folder to create, for `detect fit-boxes`.")],
    hands: Annotated[int, typer.Option(min=1, help="Cut-out hands; a tenth more for evaluation, as of all.")] = 6000,
    people: Annotated[int, typer.Option(min=1, help="People without hands.")] = 1500,
    backgrounds: Annotated[int, typer.Option(min=1, help="Backgrounds.")] = 3000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same pieces.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
) -> None:
    """Render the pieces of synthetic scenes with hands. Example: s2hand scenes --out data/boxes."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.synthetic.scenes import SceneSettings, make_pieces

        settings = SceneSettings(hands=hands, people=people, backgrounds=backgrounds, seed=seed, workers=workers)
        with show_progress("pieces") as report:
            make_pieces(settings, out, report)


def main() -> None:
    """Run the command `s2hand`."""
    app()
