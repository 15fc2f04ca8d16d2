"""The table of predicted hands that the evaluate stage left, of this or of an older version."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.pipeline.layout import PREDICTIONS

Floats = NDArray[np.floating[Any]]

TABLE = PREDICTIONS / "predictions.parquet"
CODE = ("pose", "shape", "scale", "rotation", "translation")


@dataclass(frozen=True, eq=False)
class PredictedHands:
    """N hands of a `predictions.parquet`, as they are in their photographs; None where it lacks the columns."""

    names: Sequence[str]
    left: NDArray[np.bool_]  # [N]
    joints_cam: Floats | None  # [N, 21, 3] metres
    joints_px: Floats | None  # [N, 21, 2]
    code: tuple[Floats, ...] | None  # of the right hand, a row each: `CODE`


def read_predictions(path: Path) -> PredictedHands:
    """Read a table of predicted hands, of this or of an older version. Raises DataError for anything else."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: not a Parquet file, or cut short ({error}); evaluate again") from None
    if not {"image", "hand"} <= set(table.column_names):
        raise DataError(f"{path}: expected the columns image and hand, found {', '.join(table.column_names)}")
    code = [_rows(table, name) for name in CODE]
    joints_cam, joints_px = _rows(table, "joints_cam"), _rows(table, "joints_px")
    return PredictedHands(
        names=table["image"].to_pylist(),
        left=np.array([hand == "left" for hand in table["hand"].to_pylist()], bool),
        joints_cam=None if joints_cam is None else joints_cam.reshape(-1, JOINT_COUNT, 3),
        joints_px=None if joints_px is None else joints_px.reshape(-1, JOINT_COUNT, 2),
        code=tuple(part for part in code if part is not None) if all(part is not None for part in code) else None,
    )


def _rows(table: pa.Table, name: str) -> Floats | None:
    """Return a column of lists as [N, length]; None if it is not there."""
    if name not in table.column_names:
        return None
    flat: Floats = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(table), -1)
