"""The commands `s2hand checkpoint ...`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.console import user_errors

if TYPE_CHECKING:
    from s2hand.pipeline.checkpoint_facts import Facts

app = typer.Typer(help="A trained network: what it is, and as a file for other programs.", no_args_is_help=True)

NOTHING_CHANGED = "nothing was changed"
MANO_NOTICE = "the file holds MANO's arrays: MANO's licence forbids passing it on"

CheckpointOption = Annotated[
    Path, typer.Option("--checkpoint", help="A training's folder, or a file of weights in it.")
]


class Format(StrEnum):
    """What a network can be exported as."""

    onnx = "onnx"
    torchscript = "torchscript"


@app.command()
def show(
    checkpoint: CheckpointOption,
    hand: Annotated[
        str | None, typer.Option(help="A hand model's file, to see whether it is the one of the training.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what a checkpoint is. Example: s2hand checkpoint show --checkpoint outputs/model."""
    with user_errors(NOTHING_CHANGED):
        from s2hand.pipeline.checkpoint_facts import read_facts

        facts = read_facts(checkpoint, hand)
        if as_json:
            typer.echo(json.dumps(facts.as_dict(), indent=1))
        else:
            _print_facts(facts)


@app.command()
def export(
    checkpoint: CheckpointOption,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format_: Annotated[
        Format, typer.Option("--format", help="For onnxruntime and others, or for PyTorch without this package.")
    ] = Format.onnx,
    hand: Annotated[str, typer.Option(help="The hand model it was trained with: `open`, or a file.")] = "open",
) -> None:
    """Write the 3D network as one file, hand model included, and check it against the network.

    Example: s2hand checkpoint export --checkpoint outputs/model --format onnx --out hand.onnx
    """
    with user_errors("no file was written"):
        from s2hand.train.export.network import INPUTS, OUTPUTS
        from s2hand.train.export.run import TOLERANCE, export_checkpoint

        done = export_checkpoint(checkpoint, format_.value, out, hand)
        worst = done.difference
        rows = {
            "file": f"{out}, {out.stat().st_size:,} bytes",
            "inputs": ", ".join(INPUTS) + f": any number of crops of {done.image_size} pixels",
            "outputs": ", ".join(OUTPUTS),
            "checked": f"largest difference from the network {worst.value:.1e} ({worst.output}); "
            f"{TOLERANCE:g} is accepted",
        }
        _print_rows(rows)
        if done.is_mano:
            typer.echo(MANO_NOTICE)


def _print_facts(facts: "Facts") -> None:
    _print_rows(
        {
            "file": f"{facts.path}, {facts.parameters:,} numbers",
            "hand model": f"{facts.hand_name or 'not known: neither the open hand nor --hand'}, digest {facts.hand}",
            **({"--hand": f"another hand, digest {facts.other}"} if facts.other else {}),
            "crops": f"{facts.image_size} pixels",
            "training data": f"digest {facts.data}",
            "samples": _pairs(facts.samples),
            "code": f"digest {facts.code}",
            "made by": _pairs(facts.versions),
            "settings": f"{len(facts.differing)} differ from their defaults" if facts.differing else "the defaults",
        }
    )
    for key, value in facts.differing.items():
        typer.echo(f"  train.{key}: {json.dumps(value)}")
    for name, size in facts.files.items():
        typer.echo(f"{name:<24} {size:>12,} bytes")


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "not said"


def _print_rows(rows: dict[str, str]) -> None:
    for name, value in rows.items():
        typer.echo(f"{name:<14} {value}")
