"""Where the errors are: in which joints, and at which confidence of the detections."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.skeleton import JOINT_NAMES

Floats = NDArray[np.floating[Any]]
Columns = Mapping[str, NDArray[Any]]
"""A table: column name to values, all equally many; NaN is unknown."""

BINS = 10
"""Of the confidence, equally wide from 0 to 1; fixed, so that two runs have the same rows."""


def error_per_joint(errors: Mapping[str, Floats]) -> Columns:
    """Average errors [N, 21] over the hands: a row per joint, in our order.

    Returns `joint`, its name, and a column for each of `errors`, in their unit. NaN in `errors` doesn't count.
    """
    return {"joint": np.array(JOINT_NAMES), **{name: _mean(list(values.T)) for name, values in errors.items()}}


def error_by_confidence(
    confidence: Floats,  # [N, 21] of the detections; 0: not found
    errors: Mapping[str, Floats],  # [N, 21] each
) -> Columns:
    """Average errors over the joints that were detected with about the same confidence: a row per bin.

    Returns `confidence`, the bin's middle; a column for each of `errors`, in their unit; and `joints`, how many were
    detected. A bin includes its upper end. Joints that were not found are in none; NaN in `errors` doesn't count.
    """
    row = np.ceil(BINS * confidence).astype(int) - 1
    inside = [row == number for number in range(BINS)]
    return {
        "confidence": (np.arange(BINS) + 0.5) / BINS,
        **{name: _mean([values[mask] for mask in inside]) for name, values in errors.items()},
        "joints": np.array([int(mask.sum()) for mask in inside]),
    }


def _mean(groups: list[Floats]) -> NDArray[np.float64]:
    """Return the mean of what is known in each group, NaN where nothing is."""
    known = [group[np.isfinite(group)] for group in groups]
    return np.array([group.mean() if group.size else np.nan for group in known])
