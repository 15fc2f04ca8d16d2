"""Where hands are in a photograph, and the files that say so."""

from dataclasses import dataclass

from s2hand.datasets.cameras import Box
from s2hand.datasets.records import HANDS, Hand


@dataclass(frozen=True)
class HandBox:
    """One hand in an image: the rectangle to look at, in continuous pixels of the upright image, and which hand."""

    box: Box
    hand: Hand

    def __post_init__(self) -> None:
        if self.hand not in HANDS:
            raise ValueError(f"HandBox: hand: expected right or left, found {self.hand!r}")
