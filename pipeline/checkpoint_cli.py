"""The commands `s2hand checkpoint ...`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, epilog
from s2hand.detect.console import note, show_result, show_rows, show_summary, user_errors
from s2hand.pipeline.options import Checkpoint, HandModel

if TYPE_CHECKING:
    from s2hand.pipeline.checkpoint_facts import Facts

app = typer.Typer(
    help="A trained network: what it is, and as a file for other programs.",
    no_args_is_help=True,
    epilog=epilog("s2hand checkpoint show --checkpoint outputs/model", "s2hand checkpoint export --help"),
)

NOTHING_CHANGED = "nothing was changed"
MANO_NOTICE = "the file holds MANO's arrays: MANO's licence forbids passing it on"


class Format(StrEnum):
    """What a network can be exported as."""

    onnx = "onnx"
    torchscript = "torchscript"


@app.command(epilog=epilog("s2hand checkpoint show --checkpoint outputs/model"))
def show(
    checkpoint: Checkpoint,
    hand_model: Annotated[
        str | None, typer.Option(help="A hand model's file, to see whether it is the one of the training.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what a checkpoint is."""
    with user_errors(NOTHING_CHANGED, quiet):
        from s2hand.pipeline.checkpoint_facts import read_facts

        facts = read_facts(checkpoint, hand_model)
        show_result(facts.as_dict(), as_json, lambda: _print_facts(facts))


@app.command(epilog=epilog("s2hand checkpoint export --checkpoint outputs/model --out hand.onnx"))
def export(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format_: Annotated[
        Format, typer.Option("--format", help="For onnxruntime and others, or for PyTorch without this package.")
    ] = Format.onnx,
    hand_model: HandModel = "open",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the 3D network as one file, hand model included, and check it against the network."""
    with user_errors("no file was written", quiet):
        from s2hand.train.export.network import INPUTS, OUTPUTS
        from s2hand.train.export.run import TOLERANCE, export_checkpoint

        note(f"writing {out}, and checking it against the network: some 20 s")
        done = export_checkpoint(checkpoint, format_.value, out, hand_model)
        size, worst = out.stat().st_size, done.difference
        rows = {
            "file": f"{out}, {size:,} bytes",
            "inputs": ", ".join(INPUTS) + f": any number of crops of {done.image_size} pixels",
            "outputs": ", ".join(OUTPUTS),
            "checked": f"largest difference from the network {worst.value:.1e} ({worst.output}); "
            f"{TOLERANCE:g} is accepted",
            **({"licence": MANO_NOTICE} if done.is_mano else {}),
        }
        facts = {
            "out": f"{out}",
            "bytes": size,
            "inputs": list(INPUTS),
            "outputs": list(OUTPUTS),
            "image_size": done.image_size,
            "largest_difference": worst.value,
            "is_mano": done.is_mano,
        }
        show_summary(rows, facts, as_json)


def _print_facts(facts: "Facts") -> None:
    hand = facts.hand_name or "not known: neither the open hand nor --hand-model"
    show_rows(
        {
            "file": f"{facts.path}, {facts.parameters:,} numbers",
            "hand model": f"{hand}, digest {facts.hand}",
            **({"--hand-model": f"another hand, digest {facts.other}"} if facts.other else {}),
            "crops": f"{facts.image_size} pixels",
            "training data": f"digest {facts.data}",
            "samples": _pairs(facts.samples),
            "code": f"digest {facts.code}",
            "made by": _pairs(facts.versions),
            "settings": f"{len(facts.differing)} differ from their defaults" if facts.differing else "the defaults",
        }
    )
    show_rows({f"train.{key}": json.dumps(value) for key, value in facts.differing.items()}, indent="  ")
    show_rows({name: f"{size:>12,} bytes" for name, size in facts.files.items()})


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "not said"
