"""The same held-back hands as two runs reconstructed them: how far each is off before and now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.pipeline.report.hand_errors import mean_errors
from s2hand.pipeline.report.predicted_hands import PredictedHands
from s2hand.pipeline.report.units import CM, HAND_SIZES

Floats = NDArray[np.floating[Any]]


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

    def most_changed(self, count: int, improved: bool) -> NDArray[np.intp]:
        """Return which hands became better (or worse) by most, at most `count`, the most first."""
        gain = self.before - self.now if improved else self.now - self.before
        order = np.argsort(np.where(np.isfinite(gain), -gain, np.inf), kind="stable")[:count]
        return order[gain[order] > 0]


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
