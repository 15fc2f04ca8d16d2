"""The commands `s2hand train ...`."""

from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, epilog
from s2hand.detect.console import duration, show_summary, user_errors
from s2hand.pipeline.layout import MODEL, TRAIN_PACK
from s2hand.pipeline.options import GO_ON, HandModel, Params

app = typer.Typer(
    help="Train the network, or look at a training.",
    no_args_is_help=True,
    epilog=epilog("s2hand train run", "s2hand train run --help"),
)


@app.command(epilog=epilog("s2hand train run", "s2hand train run --params presets/joint.yaml --out outputs/joint"))
def run(
    data: Annotated[Path, typer.Option(help="The pack that the pack stage wrote.")] = TRAIN_PACK,
    out: Annotated[Path, typer.Option(help="Folder of the checkpoints; training goes on from what it holds.")] = MODEL,
    params: Params = Path("params.yaml"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the network. Killed or interrupted, the same command goes on."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.training import run_training

        done = run_training(data, out, params)
        if done is not None:
            rows = {
                "weights": f"{done.weights}",
                "epochs": f"{done.epochs}",
                "last loss": f"{done.loss:.4g}",
                "time": duration(done.seconds),
            }
            facts = {
                "weights": f"{done.weights}",
                "epochs": done.epochs,
                "loss": done.loss,
                "seconds": round(done.seconds, 1),
            }
            show_summary(rows, facts, as_json)


@app.command(epilog=epilog("s2hand train reproduce outputs/model/nonfinite.pt"))
def reproduce(
    file: Annotated[Path, typer.Argument(help="The nonfinite.pt of a training that stopped.")],
    hand_model: HandModel = "open",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take a step whose loss was not finite again."""
    with user_errors(GO_ON, quiet):
        from s2hand.train.crash import reproduce as take_again

        found = take_again(file, hand_model)
        show_summary({"the step again": found}, {"file": f"{file}", "found": found}, as_json)
