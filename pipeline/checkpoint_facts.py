"""What a checkpoint is: what went into it, what made it, what lies beside it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2hand.train.checkpoint import (
    BEST,
    HISTORY,
    KEYPOINTS,
    STATE,
    WEIGHTS,
    find_checkpoint,
    hand_digest,
    read_checkpoint,
)
from s2hand.train.mano import load_hand_model
from s2hand.train.settings import TrainSettings

OPEN = "open"
_FILES = (WEIGHTS, BEST, KEYPOINTS, STATE, HISTORY)


@dataclass(frozen=True)
class Facts:
    """A checkpoint, described."""

    path: Path
    parameters: int  # numbers in it, running statistics of the normalisations included
    hand: str  # digest of the hand model
    hand_name: str | None  # `open`, or the file that was given, if it is that one
    other: str | None  # digest of the hand model that was given, if it is another
    image_size: int  # pixels of a side of the crops
    data: str  # digest of the training data
    samples: dict[str, Any]  # how the crops were cut
    code: str  # digest of the code that trained
    versions: dict[str, Any]  # of the packages that did
    settings: dict[str, Any]  # all of them, the seed among them
    differing: dict[str, Any]  # those that differ from their defaults, by dotted name
    files: dict[str, int]  # what the folder holds, and bytes

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self) | {"path": str(self.path)}


def read_facts(checkpoint: Path, hand: str | None) -> Facts:
    """Describe a training's folder, or a file of weights in it.

    `hand` names a hand model to compare with, beside the open one. Raises CheckpointError for a file that is no
    checkpoint, ValueError for a hand model that can't be read.
    """
    folder, name = find_checkpoint(checkpoint)
    saved = read_checkpoint(folder, name)
    identity = saved.identity
    digests = {one: hand_digest(load_hand_model(one)) for one in dict.fromkeys((hand or OPEN, OPEN))}
    settings = identity.settings.model_dump()
    return Facts(
        path=folder / name,
        parameters=sum(tensor.numel() for tensor in saved.weights.values()),
        hand=identity.hand,
        hand_name=next((one for one, digest in digests.items() if digest == identity.hand), None),
        other=digests[hand] if hand and digests[hand] != identity.hand else None,
        image_size=identity.image_size,
        data=identity.data,
        samples=dict(identity.samples),
        code=identity.code,
        versions=dict(saved.versions),
        settings=settings,
        differing=differences(settings, TrainSettings().model_dump()),
        files={one: (folder / one).stat().st_size for one in _FILES if (folder / one).is_file()},
    )


def differences(values: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values that differ from the defaults, nested ones by dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        default = defaults[key]
        if isinstance(value, Mapping):
            found |= differences(value, default, f"{prefix}{key}.")
        elif value != default:
            found[f"{prefix}{key}"] = value
    return found
