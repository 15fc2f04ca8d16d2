"""The table of reconstructed hands: a row each, in `hands-00000.parquet`, ..., one file per shard of keypoints.

| column | type | meaning |
| --- | --- | --- |
| `image`, `sha256`, `width`, `height` | string, string, int32, int32 | the photograph, as in the keypoint shards |
| `hand`, `hand_index` | string, int16 | `right` or `left`; 0, 1, ... within the photograph |
| `box` | 4 float32 | x, y, w, h of the square that the network saw, pixels of the photograph |
| `K`, `K_source` | 9 float32, string | the photograph's camera, and where it is known from |
| `confidence` | float32 | mean of the detected keypoints' |
| `keypoints` | 63 float32 | detected x, y, confidence of the 21 joints |
| `pose`, `shape`, `scale` | 30, 10, 1 float32 | theta, beta, s |
| `rotation`, `rotation_matrix` | 3, 9 float32 | R about the wrist joint: as axis-angle, and by rows |
| `translation` | 3 float32 | T, metres |
| `colors`, `lights` | 2334, 11 float32 | C, L |
| `joints_cam`, `joints_px`, `vertices_cam` | 63, 42, 2334 float32 | metres, camera; pixels of the photograph |
| `mesh`, `overlay` | string | files, relative to the folder; the mesh's without its ending; empty without an overlay |

Of a left hand, joints, vertices and pixels are its own; the codes, `pose` to `lights`, are those of the right hand that
its mirror image shows. The schema's metadata says what a file was made from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.records import Hand
from s2hand.pipeline.reconstruct.reconstruction import SIZES, Reconstruction

_NUMBER = pa.field("element", pa.float32())
_ARRAYS = tuple(name for name in SIZES if name != "faces")


def _lists(name: str) -> pa.Field:
    return pa.field(name, pa.list_(_NUMBER, int(np.prod(SIZES[name]))), nullable=False)


def _plain(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


SCHEMA = pa.schema(
    [
        *(_plain(name, pa.string()) for name in ("image", "sha256")),
        *(_plain(name, pa.int32()) for name in ("width", "height")),
        _plain("hand", pa.string()),
        _plain("hand_index", pa.int16()),
        pa.field("box", pa.list_(_NUMBER, 4), nullable=False),
        _lists("K"),
        _plain("K_source", pa.string()),
        _plain("confidence", pa.float32()),
        *(_lists(name) for name in ("keypoints", "pose", "shape")),
        _plain("scale", pa.float32()),
        *(_lists(name) for name in _ARRAYS[_ARRAYS.index("rotation") :]),
        *(_plain(name, pa.string()) for name in ("mesh", "overlay")),
    ]
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """A reconstructed hand of a photograph below a folder."""

    image: str
    sha256: str
    width: int
    height: int
    hand_index: int
    K_source: str
    mesh: str
    overlay: str
    hand: Reconstruction


def rows_to_table(rows: Sequence[Row], metadata: Mapping[bytes, bytes]) -> pa.Table:
    """Return rows as a table in `SCHEMA`, with this schema metadata."""
    hands = [row.hand for row in rows]
    columns: dict[str, Any] = {
        "hand": [hand.hand for hand in hands],
        "box": _fixed([hand.box.as_array() for hand in hands], 4),
        "confidence": [hand.confidence for hand in hands],
        "scale": [hand.scale for hand in hands],
    }
    for column in SCHEMA:
        if column.name in _ARRAYS:
            columns[column.name] = _fixed([getattr(hand, column.name) for hand in hands], column.type.list_size)
        elif column.name not in columns:
            columns[column.name] = [getattr(row, column.name) for row in rows]
    arrays = [_array(columns[column.name], column.type) for column in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata(dict(metadata)))


def table_to_rows(table: pa.Table, faces: NDArray[np.int64]) -> Iterator[Row]:
    """Yield what `rows_to_table` took; `faces` [1538, 3] are the hand model's."""
    flipped = np.ascontiguousarray(faces[:, ::-1])
    for values in table.to_pylist():
        arrays: dict[str, Any] = {name: np.array(values[name], np.float32).reshape(SIZES[name]) for name in _ARRAYS}
        hand = Reconstruction(
            hand=cast(Hand, values["hand"]),
            box=Box(*values["box"]),
            scale=values["scale"],
            faces=flipped if values["hand"] == "left" else faces,
            **arrays,
        )
        plain = ("image", "sha256", "width", "height", "hand_index", "K_source", "mesh", "overlay")
        yield Row(hand=hand, **{name: values[name] for name in plain})


def _fixed(arrays: Sequence[NDArray[np.floating]], length: int) -> pa.Array:
    flat = np.concatenate([*(array.astype(np.float32).reshape(-1) for array in arrays), np.empty(0, np.float32)])
    # from_pandas=False: a NaN stays a NaN; it does not become a null.
    values = pa.array(flat, pa.float32(), from_pandas=False)
    return pa.FixedSizeListArray.from_arrays(values, type=pa.list_(_NUMBER, length))


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)
