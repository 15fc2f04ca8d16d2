"""What training leaves in its folder, each file replaced whole, so that a kill never leaves half of one.

weights.safetensors     the result: the 3D branch's weights and, as metadata, what they fit to (`Identity`)
best.safetensors        the same of the epoch that agreed best with the samples that were held back
keypoints.safetensors   the 2D branch, which only training uses
state.pt                all that training needs to go on: weights, optimiser, average, stage, epoch, step, history
history.csv             a line per epoch: stage, learning rate, samples per second, loss terms; `dvc plots` draws it

`state.pt` stands alone: where a kill falls between two of the files, the next run writes the others again.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from s2hand.datasets.files import digest, replacing, sha256_bytes
from s2hand.train.mano import HandModel
from s2hand.train.settings import TrainSettings

WEIGHTS = "weights.safetensors"
BEST = "best.safetensors"
KEYPOINTS = "keypoints.safetensors"
STATE = "state.pt"
HISTORY = "history.csv"
FORMAT = "2"
NO_RESULT = frozenset({"memory_gb", "processes", "sheet_epochs", "start", "workers"})
"""Settings that a run may go on with changed: they change no number, or, `processes`, little. What stands in the folder
`start` is part of the data."""


class CheckpointError(ValueError):
    """A checkpoint that can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to."""

    settings: TrainSettings
    hand: str  # digest of the hand model
    data: str  # digest of the training data
    image_size: int  # pixels of a side of the crops
    code: str  # digest of the code that trains
    samples: Mapping[str, Any] = field(default_factory=dict)  # how the crops were cut: the parameters of the pack

    def digest(self) -> str:
        """The same for two runs that compute the same."""
        computed = self.settings.model_dump(exclude=set(NO_RESULT))
        return digest([FORMAT, computed, self.hand, self.data, self.image_size, self.code])


@dataclass(frozen=True)
class Checkpoint:
    """A trained network's weights and what they belong to."""

    weights: dict[str, Tensor]
    identity: Identity
    versions: Mapping[str, str] = field(default_factory=dict)  # of the packages that made it


def hand_digest(hand: HandModel) -> str:
    """SHA-256 of everything that a hand model computes with."""
    buffers = {name: buffer.cpu() for name, buffer in sorted(hand.named_buffers())}
    return digest({name: sha256_bytes(buffer.numpy().tobytes()) for name, buffer in buffers.items()})


def write_weights(path: Path, weights: Mapping[str, Tensor], identity: Identity) -> None:
    """Write the weights of a branch."""
    metadata = {
        "format": FORMAT,
        "settings": json.dumps(identity.settings.model_dump()),
        "hand": identity.hand,
        "data": identity.data,
        "image_size": str(identity.image_size),
        "code": identity.code,
        "samples": json.dumps(dict(identity.samples)),
        "versions": json.dumps(package_versions()),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def package_versions() -> dict[str, str]:
    """The versions of what computes here. No part of `Identity`: a run may go on with a newer torch."""
    return {"s2hand": version("s2hand"), "torch": torch.__version__}


def find_checkpoint(path: Path) -> tuple[Path, str]:
    """Return the folder of a checkpoint and the name of the file in it; `path` is either."""
    return (path, WEIGHTS) if path.is_dir() or path.suffix != Path(WEIGHTS).suffix else (path.parent, path.name)


def read_checkpoint(folder: Path, name: str = WEIGHTS) -> Checkpoint:
    """Read the result of a training. Raises CheckpointError where there is none or it is damaged."""
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; train first")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"format: expected {FORMAT}, found {metadata.get('format')}")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            settings = TrainSettings.model_validate_json(metadata["settings"])
            samples, versions = (json.loads(metadata.get(key, "{}")) for key in ("samples", "versions"))
        size = int(metadata["image_size"])
        identity = Identity(settings, metadata["hand"], metadata["data"], size, metadata["code"], samples)
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of this version ({error}); train again") from error
    return Checkpoint(weights, identity, versions)


def write_state(folder: Path, state: Mapping[str, Any], identity: Identity) -> None:
    """Write the training state: tensors, numbers, strings, lists and dicts of them."""
    with replacing(folder / STATE) as temporary:
        torch.save({"identity": identity.digest(), **state}, temporary)


def read_state(folder: Path, identity: Identity) -> dict[str, Any] | None:
    """The state of an earlier run of the same settings, data and hand model; none where there is no such.

    Raises CheckpointError for a damaged file.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same = state["identity"] == identity.digest()
    except Exception as error:  # torch.load raises whatever the damage leads to
        raise CheckpointError(f"{path}: not readable ({error}); delete it to train from the start") from error
    return state if same else None


def write_history(folder: Path, rows: Sequence[Mapping[str, float | str]]) -> None:
    """Write one line per finished epoch; terms that a stage does not have stay empty."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(folder / HISTORY) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
