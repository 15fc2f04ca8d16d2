"""The arrays of a hand model and the files that hold them: the licensed MANO pickle and our own `.npz`.

Both files use MANO's key names: `v_template`, `f`, `weights`, `shapedirs`, `posedirs`, `J_regressor`,
`hands_components`, `hands_mean`, `kintree_table`; ours may add `fingertips` (5 vertices, thumb to little
finger) and `side`. In the pickle, written by Python 2, J_regressor is a sparse matrix and shapedirs a
chumpy selection of the first 10 of 20 shape directions; it is read by `s2hand.datasets.safe_pickle`, which
runs nothing.

A hand model of the left hand is kept as it is in the file; `s2hand.train.hand_mirror` turns it into the
right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import replacing
from s2hand.datasets.safe_pickle import safe_load

VERTICES, FACES, JOINTS, SHAPES, POSES = 778, 1538, 16, 10, 45
POSE_FEATURES = 9 * (JOINTS - 1)
SHAPES_OF_ARRAYS: dict[str, tuple[int, ...]] = {
    "v_template": (VERTICES, 3),
    "faces": (FACES, 3),
    "weights": (VERTICES, JOINTS),
    "shapedirs": (VERTICES, 3, SHAPES),
    "posedirs": (VERTICES, 3, POSE_FEATURES),
    "J_regressor": (JOINTS, VERTICES),
    "hands_components": (POSES, POSES),
    "hands_mean": (POSES,),
    "parents": (JOINTS,),
}
_FILE_KEYS = {name: name for name in SHAPES_OF_ARRAYS} | {"faces": "f", "parents": "kintree_table"}
_ZIP_START = b"PK\x03\x04"


class HandFileError(ValueError):
    """A file does not hold a hand model; the message says which field, what was expected, what was found."""


@dataclass(frozen=True, eq=False)
class HandArrays:
    """A hand model in MANO's form: float64 arrays in metres and radians, indices as int64.

    Joints are in MANO's order (wrist; index, middle, little, ring, thumb, each from base to tip); `parents`
    has -1 for the wrist. `fingertips` are 5 vertices from thumb to little finger, or None if the file names
    none. `side` says which hand the arrays are.
    """

    v_template: NDArray[np.float64]  # [778, 3] vertices of the mean shape at rest
    faces: NDArray[np.int64]  # [1538, 3] counter-clockwise from outside
    weights: NDArray[np.float64]  # [778, 16] skinning, rows sum to 1
    shapedirs: NDArray[np.float64]  # [778, 3, 10] metres per unit of shape
    posedirs: NDArray[np.float64]  # [778, 3, 135] metres per entry of R - I of the 15 finger joints
    J_regressor: NDArray[np.float64]  # [16, 778] joints at rest from vertices at rest
    hands_components: NDArray[np.float64]  # [45, 45] a pose component per row, axis-angle
    hands_mean: NDArray[np.float64]  # [45] the mean pose, axis-angle
    parents: NDArray[np.int64]  # [16] kinematic tree
    side: str = "right"
    fingertips: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name, shape in SHAPES_OF_ARRAYS.items():
            found = getattr(self, name)
            if not isinstance(found, np.ndarray) or found.shape != shape:
                raise HandFileError(f"{name}: expected an array of shape {shape}, found {_describe(found)}")
            if not np.isfinite(found).all():
                raise HandFileError(f"{name}: expected finite numbers, found NaN or infinity")
        if self.side not in ("right", "left"):
            raise HandFileError(f"side: expected 'right' or 'left', found {self.side!r}")
        _check_indices("faces", self.faces)
        if self.fingertips is not None:
            if len(self.fingertips) != 5:
                raise HandFileError(f"fingertips: expected 5 vertices, found {len(self.fingertips)}")
            _check_indices("fingertips", np.array(self.fingertips))
        if self.parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(self.parents) if j):
            found = self.parents.tolist()
            raise HandFileError(f"kintree_table: expected parents before children, found parents {found}")


def read_hand_file(path: Path | str, side: str | None = None) -> HandArrays:
    """Read a hand model from the licensed pickle (`MANO_RIGHT.pkl`, `MANO_LEFT.pkl`) or from our `.npz`.

    `side` is 'right' or 'left'; by default what the file says, or else left if the file's name has "left"
    in it: the licensed files differ in nothing else. The arrays are returned as they are in the file.
    Raises HandFileError for a file that is no hand model, UnsafePickleError for a pickle that asks for
    anything but arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise HandFileError(f"{path}: no such file; expected MANO_RIGHT.pkl, MANO_LEFT.pkl or an .npz hand model")
    with path.open("rb") as file:
        is_npz = file.read(4) == _ZIP_START
    content = _read_npz(path) if is_npz else safe_load(path)
    try:
        return _from_content(content, side or _side_of(content, path))
    except HandFileError as error:
        raise HandFileError(f"{path}: not a hand model: {error}") from None


def write_hand_npz(path: Path | str, arrays: HandArrays, dtype: type[np.floating[Any]] = np.float32) -> None:
    """Write `arrays` as a compressed `.npz` with MANO's key names, floats as `dtype`; replaces atomically."""
    path = Path(path)
    content: dict[str, NDArray[Any]] = {}
    for name, key in _FILE_KEYS.items():
        value = getattr(arrays, name)
        content[key] = value.astype(dtype) if value.dtype.kind == "f" else value
    content["f"] = arrays.faces.astype(np.uint32)
    content["kintree_table"] = np.stack([arrays.parents, np.arange(JOINTS)])
    content["side"] = np.array(arrays.side)
    if arrays.fingertips is not None:
        content["fingertips"] = np.array(arrays.fingertips)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **content)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        # NumPy does not close a damaged file that it has opened itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return dict(content)
    except (BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        raise HandFileError(f"{path}: not a complete .npz file ({error})") from error


def _from_content(content: object, side: str) -> HandArrays:
    if not isinstance(content, Mapping):
        raise HandFileError(f"expected a table of arrays, found {_describe(content)}")
    missing = [key for key in _FILE_KEYS.values() if key not in content]
    if missing:
        raise HandFileError(f"missing {', '.join(missing)}; found {', '.join(map(str, content)) or 'nothing'}")
    values: dict[str, Any] = {}
    for name, key in _FILE_KEYS.items():
        values[name] = _numbers(key, content[key], np.int64 if name in ("faces", "parents") else np.float64)
    values["parents"] = _parents(values["parents"])
    tips = content.get("fingertips")
    if tips is not None:
        values["fingertips"] = tuple(int(tip) for tip in _numbers("fingertips", tips, np.int64).ravel())
    return HandArrays(**values, side=side)


def _side_of(content: object, path: Path) -> str:
    if isinstance(content, Mapping) and "side" in content:
        return str(content["side"])
    return "left" if "left" in path.stem.lower() else "right"


def _numbers(key: str, value: object, dtype: type[np.generic]) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise HandFileError(f"{key}: expected an array of numbers, found {_describe(value)}")
    return value.astype(dtype)


def _parents(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row 0 of the kinematic table. SMPL's files give the root the parent 2^32 - 1, that is -1 as uint32."""
    if table.shape != (2, JOINTS):
        raise HandFileError(f"kintree_table: expected an array of shape (2, {JOINTS}), found {table.shape}")
    return np.concatenate([[-1], table[0, 1:]])


def _check_indices(name: str, indices: NDArray[Any]) -> None:
    if indices.min() < 0 or indices.max() >= VERTICES:
        raise HandFileError(f"{name}: expected vertices 0 to {VERTICES - 1}, found {indices.min()} to {indices.max()}")


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return type(value).__name__
