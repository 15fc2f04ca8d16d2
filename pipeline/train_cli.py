"""The commands `s2hand train ...`."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.console import user_errors

app = typer.Typer(help="Train the network, or look at a training.", no_args_is_help=True)

AFTER_INTERRUPT = "run the same command again to go on"

Params = Annotated[Path, typer.Option(help="The parameters, as the params.yaml that the project ships.")]


@app.command()
def run(
    data: Annotated[Path, typer.Option(help="The pack that the pack stage wrote.")] = Path("data/packs/train.h5"),
    out: Annotated[Path, typer.Option(help="Folder of the checkpoints; training goes on from what it holds.")] = Path(
        "outputs/model"
    ),
    params: Params = Path("params.yaml"),
) -> None:
    """Train, or go on training. Example: s2hand train run --params presets/joint.yaml --out outputs/joint."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.training import run_training

        run_training(data, out, params)


@app.command()
def reproduce(
    file: Annotated[Path, typer.Argument(help="The nonfinite.pt of a training that stopped.")],
    hand: Annotated[str, typer.Option(help="The hand model it was trained with.")] = "open",
) -> None:
    """Take a step whose loss was not finite again. Example: s2hand train reproduce outputs/model/nonfinite.pt."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.train.crash import reproduce as take_again

        typer.echo(take_again(file, hand))
