"""What errors of joints are counted in: centimetres, or sizes of the hand where no truth is known."""

from collections.abc import Mapping
from typing import Any

CM, HAND_SIZES = "cm", "hand sizes"


def unit_of(metrics: Mapping[str, Any]) -> str:
    """Return the unit of the errors of a run whose `metrics.json` this is."""
    return CM if "root_mpjpe_cm" in metrics["network"] else HAND_SIZES


def meaning(unit: str) -> str:
    """Say in a sentence what a hand's error in this unit is."""
    if unit == CM:
        return (
            "Error: the mean distance of the joints to the true ones, both relative to the wrist, in space: what looks "
            "right in a picture may be wrong in depth."
        )
    return "Error: the mean distance of the projected joints to the trusted detections, in sizes of the hand."
