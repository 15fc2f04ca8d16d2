"""A checkpoint to a file that others run. A file that computes something else than the network is not kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from s2hand.datasets.files import replacing
from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.train.checkpoint import Checkpoint, find_checkpoint, package_versions, read_checkpoint
from s2hand.train.export.network import INPUTS, OUTPUTS, FlatNetwork, draw_crops
from s2hand.train.export.onnx_file import require_onnx, run_onnx, write_onnx
from s2hand.train.export.torchscript_file import run_torchscript, write_torchscript
from s2hand.train.predict import load_network

Kind = Literal["onnx", "torchscript"]
Run = Callable[[Tensor, Tensor], Sequence[Tensor]]

TOLERANCE = 1e-4
"""Largest difference that is accepted: of values up to 1 as it is, of larger ones as a share of them."""
CHECKED_BATCHES = (1, 3)


class ExportError(ValueError):
    """The written file does not compute what the network does."""


@dataclass(frozen=True)
class Difference:
    """How far a file is from the network: at most `value`, in the output `output`."""

    value: float
    output: str


@dataclass(frozen=True)
class Exported:
    """What was written."""

    difference: Difference
    image_size: int  # pixels of a side of the crops that it takes
    is_mano: bool  # it holds the licensed hand model


def export_checkpoint(checkpoint: Path, kind: Kind, out: Path, hand: str = "open") -> Exported:
    """Write the 3D network of a checkpoint, a training's folder or a file of weights in it, as the file `out`.

    `hand` is the hand model that it was trained with, as for `load_hand_model`; the file holds its arrays. Raises
    CheckpointError for a checkpoint that can't be used or of another hand model, ExportError where the written file
    computes something else on random crops; `out` then is as it was before.
    """
    if out.is_dir():
        raise ValueError(f"{out}: expected the file to write, found a folder")
    if kind == "onnx":
        require_onnx()
    folder, name = find_checkpoint(checkpoint)
    network, size = load_network(folder, hand, "cpu", name)
    flat = FlatNetwork(network.to(memory_format=torch.contiguous_format)).eval()
    metadata = describe(read_checkpoint(folder, name), network.hand.is_mano)
    write, run = {"onnx": (write_onnx, run_onnx), "torchscript": (write_torchscript, run_torchscript)}[kind]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        write(flat, size, temporary, metadata)
        difference = largest_difference(flat, run(temporary), size)
        if not difference.value <= TOLERANCE:
            raise ExportError(
                f"{out}: not written: {difference.output} differs from the network's by {difference.value:.2g}, "
                f"expected at most {TOLERANCE}; try another version of torch, or the other format"
            )
    return Exported(difference, size, network.hand.is_mano)


def describe(saved: Checkpoint, is_mano: bool) -> dict[str, str]:
    """What an exported file says of itself: what went in, what made it, and how it is to be used."""
    identity = saved.identity
    return {
        "image_size": str(identity.image_size),
        "inputs": json.dumps(dict(INPUTS)),
        "outputs": json.dumps(dict(OUTPUTS)),
        "joints": json.dumps(JOINT_NAMES),
        "hand": identity.hand,
        "hand_model": "MANO, whose licence forbids passing it on" if is_mano else "open, Apache-2.0",
        "settings": identity.settings.model_dump_json(),
        "samples": json.dumps(dict(identity.samples)),
        "data": identity.data,
        "code": identity.code,
        "trained_with": json.dumps(dict(saved.versions)),
        "exported_with": json.dumps(package_versions()),
    }


def largest_difference(network: FlatNetwork, run: Run, size: int) -> Difference:
    """Compare on random crops, in batches of several sizes."""
    worst = Difference(0.0, next(iter(OUTPUTS)))
    for batch in CHECKED_BATCHES:
        crops = draw_crops(batch, size, seed=batch)
        with torch.no_grad():
            expected = dict(zip(OUTPUTS, network(*crops), strict=True))
        found = dict(zip(OUTPUTS, run(*crops), strict=True))
        worst = max(worst, _worst(expected, found), key=lambda difference: difference.value)
    return worst


def _worst(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Difference:
    differences = {name: _difference(expected[name], found[name]) for name in expected}
    name = max(differences, key=differences.__getitem__)
    return Difference(differences[name], name)


def _difference(expected: Tensor, found: Tensor) -> float:
    """Infinite where a number is not one, or of another shape."""
    if expected.shape != found.shape:
        return float("inf")
    share = (found - expected).abs() / expected.abs().clamp_min(1)
    return float(share.max().nan_to_num(float("inf")))
