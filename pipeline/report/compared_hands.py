"""The same held-back hands as two runs reconstructed them: how far each is off before and now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Pack
from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.pipeline.report.hand_errors import mean_errors

Floats = NDArray[np.floating[Any]]

CODE = ("pose", "shape", "scale", "rotation", "translation")
CM, HAND_SIZES = "cm", "hand sizes"


@dataclass(frozen=True, eq=False)
class PredictedHands:
    """N hands of a `predictions.parquet`, as they are in their photographs; None where it lacks the columns."""

    names: Sequence[str]
    left: NDArray[np.bool_]  # [N]
    joints_cam: Floats | None  # [N, 21, 3] metres
    joints_px: Floats | None  # [N, 21, 2]
    code: tuple[Floats, ...] | None  # of the right hand, a row each: `CODE`


@dataclass(frozen=True, eq=False)
class ComparedHands:
    """N hands that are in a pack and in both runs, in the pack's order.

    Errors are mean joint errors, relative to the wrist, in cm; or, where no truth is known, distances to the detections
    in hand sizes, NaN where too little was detected.
    """

    names: Sequence[str]
    rows: NDArray[np.intp]  # [N] in the pack
    places: tuple[NDArray[np.intp], NDArray[np.intp]]  # [N] in the table before and in that of now
    before: Floats  # [N]
    now: Floats  # [N]
    unit: str

    @property
    def meaning(self) -> str:
        """What the errors are, as a sentence."""
        if self.unit == CM:
            return (
                "Error: the mean distance of the joints to the true ones, both relative to the wrist, in space: what "
                "looks right in a picture may be wrong in depth."
            )
        return "Error: the mean distance of the projected joints to the trusted detections, in sizes of the hand."

    def most_changed(self, count: int, improved: bool) -> NDArray[np.intp]:
        """Return which hands became better (or worse) by most, at most `count`, the most first."""
        gain = self.before - self.now if improved else self.now - self.before
        order = np.argsort(np.where(np.isfinite(gain), -gain, np.inf), kind="stable")[:count]
        return order[gain[order] > 0]


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


def compare_hands(pack: Pack, before: PredictedHands, now: PredictedHands) -> ComparedHands | None:
    """Measure the hands of `pack` that both have, by their names; None if a table lacks the joints that are needed.

    That are `joints_cam` where the pack knows the truth, else `joints_px`.
    """
    needed = "joints_cam" if pack.has_joints else "joints_px"
    if getattr(before, needed) is None or getattr(now, needed) is None:
        return None
    places = [{name: place for place, name in enumerate(hands.names)} for hands in (before, now)]
    names = pack.names()
    rows = np.array([row for row, name in enumerate(names) if all(name in known for known in places)], np.intp)
    common = [names[row] for row in rows]
    old, new = (np.array([known[name] for name in common], np.intp) for known in places)
    return ComparedHands(
        names=common,
        rows=rows,
        places=(old, new),
        before=_errors(pack, rows, before, old),
        now=_errors(pack, rows, now, new),
        unit=CM if pack.has_joints else HAND_SIZES,
    )


def _errors(pack: Pack, rows: NDArray[np.intp], hands: PredictedHands, places: NDArray[np.intp]) -> Floats:
    """Measure the hands at `places` against `rows` of the pack."""
    cam, px = (None if values is None else values[places] for values in (hands.joints_cam, hands.joints_px))
    errors: Floats = mean_errors(pack.annotations(rows), cam, px)[0]
    return errors


def _rows(table: pa.Table, name: str) -> Floats | None:
    """Return a column of lists as [N, length]; None if it is not there."""
    if name not in table.column_names:
        return None
    flat: Floats = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(table), -1)
