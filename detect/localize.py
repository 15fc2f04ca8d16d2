"""Where the hands are: what must be answered for each photograph before its keypoints can be looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.records import Hand


class Localizer(Protocol):
    """Finds the hands in photographs. `name`, `weights_sha256` and `parameters` go into the shards' provenance."""

    @property
    def name(self) -> str:
        """Name the way hands are found, for the records: 'whole', 'boxes', 'body', 'slim'."""

    @property
    def weights_sha256(self) -> str:
        """Return the digest of the weight file's bytes; empty where there is none."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the JSON-able settings that change results."""

    def locate(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, upright
        names: Sequence[str],  # of the same images, relative to their root
    ) -> list[tuple[HandBox, ...]]:
        """Find the hands of each image, in an order that depends on the image alone; none is an answer."""


@dataclass(frozen=True)
class WholeImage:
    """Each image is one hand, as in data sets of crops."""

    hand: Hand = "right"
    name: str = "whole"
    weights_sha256: str = ""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return which hand the images show."""
        return {"hand": self.hand}

    def locate(self, images: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> list[tuple[HandBox, ...]]:
        """Return the whole of each image."""
        del names
        return [(HandBox(Box(0, 0, image.shape[1], image.shape[0]), self.hand),) for image in images]
