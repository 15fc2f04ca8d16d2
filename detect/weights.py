"""Weight files: read without running anything they hold, recognised by their content, refused in one clear
line.

A file is one of four kinds. `openpose-hand` and `openpose-body`: the tensors of the published
`hand_pose_model.pth` and `body_pose_model.pth`. `slim` and `slim-boxes`: the tensors of our own networks, in
safetensors files whose metadata names the kind, as in `network: slim`. Both PyTorch's format (read with
`weights_only=True`, so that a malicious pickle runs nothing) and safetensors are understood for any.
"""

import pickle
import struct
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from s2hand.datasets.files import sha256_file
from s2hand.detect import openpose
from s2hand.detect.body import network as body
from s2hand.detect.hub import (
    BODY,
    HAND,
    PACKAGED,
    PUBLISHED,
    SLIM,
    KnownFile,
    WeightsError,
    check_known,
    named_like,
    packaged_path,
    require_cached,
)

__all__ = [
    "KEYPOINT_KINDS",
    "KINDS",
    "SLIM",
    "Kind",
    "Weights",
    "WeightsError",
    "check_shapes",
    "read_weights",
    "weights_path",
]

Kind = Literal["openpose-hand", "openpose-body", "slim", "slim-boxes"]

KINDS: dict[Kind, str] = {
    "openpose-hand": f"{HAND.network} ({HAND.name}, {HAND.size:,} bytes)",
    "openpose-body": f"{BODY.network} ({BODY.name}, {BODY.size:,} bytes)",
    "slim": "slim hand network",
    "slim-boxes": "slim finder of hands",
}
"""Each kind in words, for messages."""

KEYPOINT_KINDS: tuple[Kind, ...] = ("openpose-hand", "slim")
"""Those of networks that find the keypoints of a hand: what `HandDetector.load` takes."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The content of one weight file."""

    path: Path
    kind: Kind
    sha256: str  # of the file's bytes
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]  # of a safetensors file; empty for PyTorch's format


def weights_path(source: str | Path) -> Path:
    """Return the file behind a name or path; `WeightsError` if there is none.

    `slim` and `slim-boxes` are packaged; `openpose` and `openpose-body` are what `detect weights fetch` has put into
    the cache.
    """
    if str(source) in PACKAGED:
        return packaged_path(str(source))
    known = _published_alias(source)
    if known is not None:
        return require_cached(known)
    path = Path(source)
    if not path.exists():
        raise WeightsError(
            f"{path}: no such weight file; expected {SLIM!r}, {HAND.alias!r}, {BODY.alias!r} or the path of one"
        )
    if not path.is_file():
        raise WeightsError(f"{path}: expected a weight file, found a folder")
    return path


def read_weights(source: str | Path, kinds: Collection[Kind] = tuple(KINDS)) -> Weights:
    """Read a weight file of one of some kinds; raises `WeightsError` that says what was expected and found.

    What stands behind `openpose` and `openpose-body` must be the published file, byte for byte, and so must a file of
    such a name and size; else any file with the network's tensors will do.
    """
    path = weights_path(source)
    try:
        known = _published_alias(source) or named_like(path)
        if known is not None:
            check_known(path, known)
        safe = _is_safetensors(path)
        tensors, metadata = _read_safetensors(path) if safe else (_read_torch(path), {})
        kind = _recognise(path, tensors, metadata)
        if kind not in kinds:
            expected = " or ".join(KINDS[one] for one in kinds)
            raise WeightsError(f"{path}: expected weights of the {expected}, found those of the {KINDS[kind]}")
        return Weights(path, kind, sha256_file(path), tensors, metadata)
    except OSError as error:
        raise WeightsError(f"{path}: can't be read: {error.strerror or error}") from error


def check_shapes(
    path: Path, network: str, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]
) -> None:
    """Raise `WeightsError` unless each expected tensor is there, in its shape; others are ignored."""
    missing = [name for name in expected if name not in tensors]
    if missing:
        there = len(expected) - len(missing)
        raise WeightsError(
            f"{path}: not weights of the {network}: expected {len(expected)} tensors, found {there} of them "
            f"among {len(tensors)}; the first that is missing is {missing[0]}"
        )
    for name, shape in expected.items():
        found = tuple(tensors[name].shape)
        if found != shape:
            raise WeightsError(f"{path}: not weights of the {network}: {name}: expected shape {shape}, found {found}")


def _is_safetensors(path: Path) -> bool:
    # The format begins with the header's length (8 bytes) and the header, a JSON object.
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise WeightsError(
            f"{path}: expected a whole safetensors file, found {path.stat().st_size:,} bytes that are not "
            f"({error}); fetch it again"
        ) from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle of a foreign file, which is refused below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError, IndexError, TypeError),
        *(AttributeError, AssertionError, struct.error),
    ) as error:  # whatever a damaged or foreign file makes the reader trip over
        raise WeightsError(
            f"{path}: expected a PyTorch or safetensors weight file{_as_published(path)}, found "
            f"{path.stat().st_size:,} bytes that are not one, or not a whole one; fetch it again"
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        kind = type(content).__name__
        raise WeightsError(f"{path}: expected a mapping of names to tensors, found {kind} of other things")
    return {str(name): tensor for name, tensor in content.items()}


def _recognise(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Kind:
    expected: dict[Kind, dict[str, tuple[int, ...]]] = {
        "openpose-hand": openpose.published_shapes(),
        "openpose-body": body.published_shapes(),
    }
    ours: Kind | None = next((kind for kind in KINDS if kind == metadata.get("network")), None)
    if ours is not None and ours not in expected:
        return ours
    # The two share the names of their first layers: the network is the one of which more is there.
    shares = {kind: len(shapes.keys() & tensors.keys()) / len(shapes) for kind, shapes in expected.items()}
    kind = max(expected, key=lambda one: shares[one])
    if shares[kind] == 0:
        names = ", ".join(list(tensors)[:3]) or "none"
        raise WeightsError(
            f"{path}: weights of an unknown network: expected those of the {' or '.join(KINDS.values())}; "
            f"found {len(tensors)} others ({names})"
        )
    check_shapes(path, KINDS[kind].split(" (")[0], expected[kind], tensors)
    return kind


def _published_alias(source: str | Path) -> KnownFile | None:
    return next((known for known in PUBLISHED if str(source) == known.alias), None)


def _as_published(path: Path) -> str:
    """Add what a file of that name should be, if it is one of the published names."""
    named = [known for known in PUBLISHED if path.name == known.name] or PUBLISHED
    return " (" + " or ".join(f"{known.name}, {known.size:,} bytes" for known in named) + ")"
