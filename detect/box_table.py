"""Hands where a file says that they are: `--boxes`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.boxes import BoxTable, HandBox, read_boxes
from s2hand.datasets.records import Hand


@dataclass(frozen=True, eq=False)
class BoxTableLocalizer:
    """Looks the hands of each image up in a table; an image without a box has no hand."""

    table: BoxTable
    hand: Hand
    name: str = "boxes"

    @classmethod
    def read(cls, path: Path, hand: Hand = "right") -> "BoxTableLocalizer":
        """Read the table from a file, see `read_boxes`; `hand` is what boxes show that do not say."""
        return cls(read_boxes(path, hand), hand)

    @property
    def weights_sha256(self) -> str:
        """Return the digest of the file of boxes."""
        return self.table.sha256

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return which hand boxes show that do not say."""
        return {"hand": self.hand}

    def locate(self, images: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> list[tuple[HandBox, ...]]:
        """Return the boxes of each image by its name, in the file's order."""
        del images
        return [self.table.of(name) for name in names]
