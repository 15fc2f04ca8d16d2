"""What the writers of JSON formats need of a detection run: plain Python numbers, hand by hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from s2hand.datasets.keypoints import to_arrays
from s2hand.datasets.pixel_indices import few_decimals, to_indices
from s2hand.datasets.records import HANDS
from s2hand.datasets.rows import Provenance


@dataclass(frozen=True)
class Run:
    """A finished detection run on its way out: where it comes from, and its shards, to be read once."""

    provenance: Provenance
    shards: Iterable[pa.Table]


@dataclass(frozen=True)
class HandNumbers:
    """One hand. Keypoints are pixel indices: the first pixel's centre is 0. A missing joint is 0, 0 and confidence 0.

    Here alone (0, 0) stands for a missing joint, since these formats say it so; the confidence tells it from a joint
    at the corner.
    """

    image: str
    width: int
    height: int
    hand: str
    box: list[float]  # x, y, w, h, continuous pixels
    xy: list[list[float]]  # 21 of x, y
    confidence: list[float]  # 21


def hands_of(table: pa.Table) -> Iterator[HandNumbers]:
    """Yield the hands of a shard."""
    arrays = to_arrays(table)
    confidence = arrays.keypoints[..., 2]
    xy = np.where(confidence[..., None] > 0, to_indices(arrays.keypoints[..., :2]), 0.0)
    columns = (arrays.sizes, few_decimals(arrays.boxes), xy, few_decimals(confidence))
    for image, hand, size, box, points, values in zip(
        arrays.images, arrays.hands, *(column.tolist() for column in columns), strict=True
    ):
        width, height = size
        yield HandNumbers(image, width, height, hand, box, points, values)


def by_image(hands: Iterable[HandNumbers]) -> Iterator[list[HandNumbers]]:
    """Group the hands of a shard by image, in the order of their first."""
    images: dict[str, list[HandNumbers]] = {}
    for hand in hands:
        images.setdefault(hand.image, []).append(hand)
    yield from images.values()


def people_of(hands: list[HandNumbers]) -> Iterator[dict[str, HandNumbers]]:
    """Group the hands of an image by person, for formats that have persons: each is a mapping from hand to hand.

    Shards do not say whose a hand is. One right and one left hand and no other are taken for one person's, which
    holds for most photographs; otherwise each hand is a person of its own, so that nothing is made up.
    """
    if sorted(hand.hand for hand in hands) == sorted(HANDS):
        yield {hand.hand: hand for hand in hands}
        return
    for hand in hands:
        yield {hand.hand: hand}


def flat(hand: HandNumbers) -> list[float]:
    """Return x, y, confidence of the 21 joints as one list of 63."""
    return [n for (x, y), c in zip(hand.xy, hand.confidence, strict=True) for n in (x, y, c)]
