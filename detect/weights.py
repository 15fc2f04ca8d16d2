"""Weight files: read without running anything they hold, recognised by their content, refused in one clear
line.

A file is one of two kinds. `openpose-hand`: the tensors of the published `hand_pose_model.pth`. `slim`: the
tensors of our own network, in a safetensors file whose metadata says `network: slim`. Both PyTorch's format
(read with `weights_only=True`, so that a malicious pickle runs nothing) and safetensors are understood for
either.
"""

import pickle
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from s2hand.datasets.files import DataError, sha256_file
from s2hand.detect.openpose import published_shapes

Kind = Literal["openpose-hand", "slim"]

SLIM = "slim"
"""The name that stands for the weights that come with the package."""

PUBLISHED = "hand_pose_model.pth, 147,341,049 bytes"


class WeightsError(DataError):
    """A weight file that is missing, unreadable, or not of a known network."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The content of one weight file."""

    path: Path
    kind: Kind
    sha256: str  # of the file's bytes
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]  # of a safetensors file; empty for PyTorch's format


def weights_path(source: str | Path) -> Path:
    """Return the file behind `slim` (the packaged weights) or a path; `WeightsError` if there is none."""
    if str(source) == SLIM:
        return Path(str(files("s2hand.detect") / "assets" / "slim.safetensors"))
    path = Path(source)
    if not path.exists():
        raise WeightsError(f"{path}: no such weight file; expected {SLIM!r} or the path of one ({PUBLISHED})")
    if not path.is_file():
        raise WeightsError(f"{path}: expected a weight file, found a folder")
    return path


def read_weights(source: str | Path) -> Weights:
    """Read a weight file and tell its kind; raises `WeightsError` that says what was expected and found."""
    path = weights_path(source)
    try:
        safe = _is_safetensors(path)
        tensors, metadata = _read_safetensors(path) if safe else (_read_torch(path), {})
        kind = _recognise(path, tensors, metadata)
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
            f"{path}: expected a PyTorch or safetensors weight file ({PUBLISHED}), found "
            f"{path.stat().st_size:,} bytes that are not one, or not a whole one; fetch it again"
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        kind = type(content).__name__
        raise WeightsError(f"{path}: expected a mapping of names to tensors, found {kind} of other things")
    return {str(name): tensor for name, tensor in content.items()}


def _recognise(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Kind:
    if metadata.get("network") == SLIM:
        return "slim"
    expected = published_shapes()
    if not expected.keys() & tensors.keys():
        names = ", ".join(list(tensors)[:3]) or "none"
        raise WeightsError(
            f"{path}: weights of an unknown network: expected those of {PUBLISHED}, or of a slim network; "
            f"found {len(tensors)} others ({names})"
        )
    check_shapes(path, "OpenPose hand network", expected, tensors)
    return "openpose-hand"
