"""A challenge's submission: `pred.json`, a list of all joints and one of all vertices, and `pred.zip` around it.

Both are written piece by piece: HO-3D's twenty thousand meshes would take gigabytes as Python objects. Same hands, same
bytes.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, replacing
from s2hand.datasets.json_arrays import load_json_lists
from s2hand.pipeline.official.challenges import Challenge, Convert
from s2hand.pipeline.official.metrics import HandSet
from s2hand.pipeline.stages.pack import photograph

Floats = NDArray[np.floating]

JSON, ZIP = "pred.json", "pred.zip"
DECIMALS = 6  # a micrometre
SHAPES = {"joints": (21, 3), "vertices": (778, 3)}
_CHUNK = 64  # hands at a time
_MADE = (1980, 1, 1, 0, 0, 0)  # the time in the archive: its bytes follow from the hands alone


def first_hands(names: Sequence[str]) -> list[int]:
    """Return the rows that a challenge asks for, one hand per image, from all rows' names."""
    return [row for row, name in enumerate(names) if photograph(name) == name]


def write_submission(
    folder: Path,
    challenge: Challenge,
    joints_cam: Floats,  # [N, 21, 3] metres, one hand per evaluation image, in the data set's order
    vertices_cam: Floats,  # [N, 778, 3]
) -> None:
    """Write `pred.json` and `pred.zip` into `folder`, in the challenge's joint order and axes."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = zipfile.ZipInfo(JSON, _MADE)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    with (
        replacing(folder / JSON) as plain,
        replacing(folder / ZIP) as packed,
        plain.open("wb") as file,
        zipfile.ZipFile(packed, "w") as archive,
        archive.open(entry, "w") as member,
    ):
        for text in _pieces((joints_cam, challenge.to_joints), (vertices_cam, challenge.to_points)):
            file.write(text)
            member.write(text)


def _pieces(*parts: tuple[Floats, Convert]) -> Iterator[bytes]:
    """Yield the JSON of a list of lists."""
    for number, (hands, convert) in enumerate(parts):
        yield b",[" if number else b"[["
        for start in range(0, len(hands), _CHUNK):
            chunk = np.round(convert(hands[start : start + _CHUNK]).astype(np.float64), DECIMALS)
            text = json.dumps(chunk.tolist(), separators=(",", ":"), allow_nan=False)[1:-1]
            yield ("," * (start > 0) + text).encode()
        yield b"]"
    yield b"]"


def read_submission(path: Path, challenge: Challenge, images: int) -> HandSet:
    """Read anybody's `pred.json`, bare or zipped, into our joint order and axes.

    Raises:
        DataError: it is missing, not JSON, or does not hold the joints [21, 3] and the vertices [778, 3] of so many
            images; the message names the item.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    found = _read(path)
    for name, values in found.items():
        if len(values) != images:
            raise DataError(
                f"{path}: {name}: expected {images} items, one for each evaluation image, found {len(values)}"
            )
    return HandSet(
        np.asarray(challenge.from_joints(found["joints"]), np.float64),
        np.asarray(challenge.from_points(found["vertices"]), np.float64),
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        with path.open(encoding="utf-8") as file:
            return load_json_lists(file, path, SHAPES)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_entry(archive, path)) as member:
            return load_json_lists(TextIOWrapper(member, encoding="utf-8"), path, SHAPES)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:  # the last one: encrypted
        raise DataError(f"{path}: broken archive ({error}); zip it again, without a password") from error


def _entry(archive: zipfile.ZipFile, path: Path) -> str:
    names = archive.namelist()
    found = [JSON] if JSON in names else [name for name in names if name.endswith(".json")]
    if len(found) != 1:
        raise DataError(f"{path}: expected {JSON} in it, found {', '.join(names) or 'nothing'}")
    return found[0]
