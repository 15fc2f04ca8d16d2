"""The options that commands of `s2hand` share, beside those of `s2hand.detect.commands.options`."""

from pathlib import Path
from typing import Annotated

import typer

GO_ON = "run the same command again to go on"

Checkpoint = Annotated[Path, typer.Option("--checkpoint", help="A training's folder, or a file of weights in it.")]
HandModel = Annotated[
    str,
    typer.Option(
        "--hand-model",
        autocompletion=lambda: ["open"],
        help="The hand model it was trained with: `open`, or a file, as `hand_model` in params.yaml.",
    ),
]
Params = Annotated[Path, typer.Option("--params", help="The parameters, as the params.yaml that the project ships.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same pictures.")]
Processes = Annotated[int, typer.Option("--workers", min=1, help="Processes that render.")]
