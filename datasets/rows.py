"""The keypoint table: one row per hand, as detection writes it and everything after detection reads it.

| column | type | meaning |
| --- | --- | --- |
| `image` | string | path relative to the images' root, `/` separators |
| `sha256` | string | of the image file's bytes |
| `width`, `height` | int32 | pixels of the image as decoded, upright |
| `hand` | string | `right`, `left` |
| `hand_index` | int16 | 0, 1, ... within the image |
| `box` | fixed list of 4 float32 | x, y, w, h in pixels: the square that was looked at |
| `keypoints` | fixed list of 63 float32 | x, y, confidence of the 21 joints, in our order |

Pixels are continuous. A confidence lies in [0, 1]; a joint that was not found has confidence 0 and NaN
coordinates, and no other joint has: (0, 0) never stands for "missing". The schema's metadata is a
`Provenance`.
"""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError
from s2hand.datasets.records import HANDS, Hand
from s2hand.datasets.skeleton import JOINT_COUNT, JOINT_NAMES

_NUMBER = pa.field("element", pa.float32())  # the name that Parquet gives to what a list holds
SCHEMA = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("hand", pa.string(), nullable=False),
        pa.field("hand_index", pa.int16(), nullable=False),
        pa.field("box", pa.list_(_NUMBER, 4), nullable=False),
        pa.field("keypoints", pa.list_(_NUMBER, 3 * JOINT_COUNT), nullable=False),
    ]
)


def package_version() -> str:
    """Return the installed version of this project."""
    return importlib.metadata.version("s2hand")


@dataclass(frozen=True)
class Provenance:
    """Where keypoints come from: what they are traced to, and what makes them stale when it changes.

    `parameters` holds what changes the numbers and only that (no batch size); `code_sha256` is the
    `source_digest` of the packages that compute them, since code changes between versions too.
    """

    detector: str
    weights_sha256: str
    parameters: Mapping[str, Any]  # JSON-able
    code_sha256: str
    version: str = field(default_factory=package_version)

    def as_json(self) -> dict[str, Any]:
        """Return the same as a JSON object, joint names included."""
        return {
            "joint_names": list(JOINT_NAMES),
            "detector": self.detector,
            "weights_sha256": self.weights_sha256,
            "parameters": dict(self.parameters),
            "code_sha256": self.code_sha256,
            "version": self.version,
        }

    def as_metadata(self) -> dict[bytes, bytes]:
        """Return the same for an Arrow schema: JSON per key, except the plain strings."""
        texts = {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
            for key, value in self.as_json().items()
        }
        return {key.encode(): text.encode() for key, text in texts.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: Path) -> "Provenance":
        """Read what `as_json` gave; `DataError` naming `where` if a key is missing or joints differ."""
        try:
            joints, parameters = tuple(value["joint_names"]), dict(value["parameters"])
            detector, weights, code, version = (
                str(value[key]) for key in ("detector", "weights_sha256", "code_sha256", "version")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}: does not say where its keypoints come from ({error!r})") from error
        if joints != JOINT_NAMES:
            raise DataError(f"{where}: joint_names: expected {JOINT_NAMES}, found {joints}")
        return cls(detector, weights, parameters, code, version)


@dataclass(frozen=True, eq=False)
class HandRow:
    """One hand in one image: a row of the table, checked when it is made."""

    image: str
    sha256: str
    width: int
    height: int
    hand: Hand
    hand_index: int
    box: Box
    keypoints: NDArray[np.float32]  # [21, 3] x, y in pixels, confidence

    def __post_init__(self) -> None:
        if self.hand not in HANDS:
            raise ValueError(f"{self.image}: hand: expected right or left, found {self.hand!r}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"{self.image}: size: expected pixels, found {self.width} x {self.height}")
        if self.keypoints.shape != (JOINT_COUNT, 3) or self.keypoints.dtype != np.float32:
            found = f"{self.keypoints.dtype} {self.keypoints.shape}"
            raise ValueError(f"{self.image}: keypoints: expected float32 ({JOINT_COUNT}, 3), found {found}")
        problem = keypoints_problem(self.keypoints)
        if problem is not None:
            raise ValueError(f"{self.image}: keypoints: {problem}")


def keypoints_problem(keypoints: NDArray[np.float32]) -> str | None:  # [..., 21, 3]
    """Say what is wrong with keypoints: confidence in [0, 1], and 0 exactly where x and y are NaN."""
    xy, confidence = keypoints[..., :2], keypoints[..., 2]
    outside = ~((confidence >= 0) & (confidence <= 1))
    if outside.any():
        return f"expected confidences in [0, 1], found {confidence[outside].flat[0]}"
    missing = confidence == 0
    if not np.isnan(xy[missing]).all():
        return "expected NaN coordinates where the confidence is 0 (a joint that was not found)"
    if not np.isfinite(xy[~missing]).all():
        return "expected finite coordinates where the confidence is above 0"
    return None


def rows_to_table(rows: Sequence[HandRow], metadata: Mapping[bytes, bytes]) -> pa.Table:
    """Return rows as a table in `SCHEMA`, with this schema metadata."""
    boxes = [row.box.as_array() for row in rows]
    keypoints = [row.keypoints.reshape(-1) for row in rows]
    columns = [
        pa.array([row.image for row in rows], pa.string()),
        pa.array([row.sha256 for row in rows], pa.string()),
        pa.array([row.width for row in rows], pa.int32()),
        pa.array([row.height for row in rows], pa.int32()),
        pa.array([row.hand for row in rows], pa.string()),
        pa.array([row.hand_index for row in rows], pa.int16()),
        _fixed_lists(boxes, 4),
        _fixed_lists(keypoints, 3 * JOINT_COUNT),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata(dict(metadata)))


def _fixed_lists(arrays: list[NDArray[np.float32]], length: int) -> Any:
    flat = np.concatenate([*arrays, np.empty(0, np.float32)])
    # from_pandas=False: a NaN stays a NaN; it does not become a null.
    values = pa.array(flat, pa.float32(), from_pandas=False)
    return pa.FixedSizeListArray.from_arrays(values, type=pa.list_(_NUMBER, length))


def check_schema(schema: pa.Schema, where: Path) -> None:
    """Raise `DataError` naming the file and the first column that is not as in `SCHEMA`."""
    if schema.equals(SCHEMA, check_metadata=False):
        return
    found = {column.name: column.type for column in schema}
    for column in SCHEMA:
        there = found.get(column.name, "no such column")
        if there != column.type:
            _refuse(where, f"column {column.name}: expected {column.type}, found {there}")
    _refuse(where, f"expected the columns {SCHEMA.names}, none nullable, found {schema.names}")


def _refuse(where: Path, problem: str) -> NoReturn:
    raise DataError(f"{where}: not a table of keypoints: {problem}; run detection again")
