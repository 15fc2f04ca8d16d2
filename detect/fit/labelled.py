"""What every source of labelled photographs gives: a photograph of a right hand and where its joints are in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.records import Split
from s2hand.datasets.skeleton import JOINT_COUNT


@dataclass(frozen=True, eq=False)
class Labelled:
    """A photograph of a right hand, or of a left one mirrored, and its joints."""

    image: NDArray[np.uint8]  # [H, W, 3] RGB
    points: NDArray[np.floating]  # [21, 2] pixels; NaN where unknown
    mask: NDArray[np.bool_] | None = None  # [H, W] the hand's pixels

    def __post_init__(self) -> None:
        if self.points.shape != (JOINT_COUNT, 2):
            raise ValueError(f"points: expected {(JOINT_COUNT, 2)}, found {self.points.shape}")


class Source(Protocol):
    """Labelled photographs in two splits."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    def photographs(self, split: Split) -> Sequence[object]:
        """Return a JSON-able description per photograph, which changes when the photograph does."""

    def read(self, split: Split, index: int) -> Labelled:
        """Read one photograph; called from several threads."""
