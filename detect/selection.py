"""Which hands of a run to look at, and in which order.

The run is read twice, shard by shard: for what hands are sorted by, some 300 bytes a hand, and for those that
were chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.keypoints import KeypointArrays, iterate_keypoints, to_arrays
from s2hand.datasets.records import Hand
from s2hand.detect.stats import hand_extents
from s2hand.detect.suspicious import judge, reasons

Sort = Literal["name", "confidence", "-confidence", "size", "-size"]
SORTS: tuple[Sort, ...] = get_args(Sort)


@dataclass(frozen=True)
class Selection:
    """What to show: hands that pass all filters, the first `most` tiles; by name, that many spread over all."""

    sort: Sort = "name"  # a minus: the largest first
    min_confidence: float = 0.0  # mean over a hand's joints
    max_confidence: float = 1.0
    hand: Hand | None = None
    match: str | None = None  # pattern of image names, such as `holiday/*.jpg`
    suspicious: bool = False
    most: int = 400

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(f"sort: expected one of {', '.join(SORTS)}, found {self.sort!r}")
        if not 0 <= self.min_confidence <= self.max_confidence <= 1:
            found = f"{self.min_confidence} and {self.max_confidence}"
            raise ValueError(f"min_confidence, max_confidence: expected 0 <= min <= max <= 1, found {found}")
        if self.most < 1:
            raise ValueError(f"most: expected 1 or more, found {self.most}")


@dataclass(frozen=True, eq=False)
class ShownHand:
    """A hand of a tile."""

    hand: Hand
    box: Box
    keypoints: NDArray[np.float32]  # [21, 3]
    reasons: tuple[str, ...]  # the rules that it trips

    @property
    def confidence(self) -> float:
        """Return the mean over the joints."""
        return float(self.keypoints[:, 2].mean())


@dataclass(frozen=True, eq=False)
class Shown:
    """A tile: a photograph, and those of its hands that were chosen."""

    image: str
    hands: tuple[ShownHand, ...]


@dataclass(frozen=True, eq=False)
class _Candidates:
    """What hands are sorted by, N of them, and where they are."""

    images: list[str]
    confidence: NDArray[np.float32]  # [N]
    sizes: NDArray[np.float32]  # [N] pixels
    places: NDArray[np.int64]  # [N, 2] shard, row


def choose(shards: Path, selection: Selection, apart: bool = False) -> tuple[list[Shown], int]:
    """Return the tiles to show of the finished run in the folder `shards`, and out of how many.

    A tile has all chosen hands of a photograph; `apart`, a single hand.

    Raises DataError for a run that is not complete, ValueError if it holds no hand that passes.
    """
    candidates = _candidates(shards, selection)
    tiles = _tiles(candidates.images, _order(candidates, selection.sort), apart)
    if not tiles:
        raise ValueError(f"{shards}: holds no hand to draw on a contact sheet" + _filters(selection))
    few = spread(len(tiles), selection.most) if selection.sort == "name" else range(min(len(tiles), selection.most))
    chosen = [tiles[index] for index in few]
    hands = _load(shards, candidates.places[[hand for tile in chosen for hand in tile]])
    shown = []
    for tile in chosen:
        places = sorted(tuple(candidates.places[hand].tolist()) for hand in tile)
        shown.append(Shown(candidates.images[tile[0]], tuple(hands[place] for place in places)))
    return shown, len(tiles)


def spread(count: int, most: int) -> list[int]:
    """Pick at most `most` of the numbers below `count`, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [int(index) for index in np.linspace(0, count - 1, most).round()]


def _candidates(shards: Path, selection: Selection) -> _Candidates:
    images: list[str] = []
    confidence, sizes, places = [np.empty(0, np.float32)], [np.empty(0, np.float32)], [np.empty((0, 2), np.int64)]
    for number, hands in _read(shards):
        mean = hands.keypoints[..., 2].mean(1)
        rows = np.flatnonzero(_passes(hands, mean, selection))
        images += [hands.images[row] for row in rows.tolist()]
        confidence.append(mean[rows])
        sizes.append(hand_extents(hands.keypoints[rows]))
        places.append(np.stack([np.full_like(rows, number), rows], axis=1))
    return _Candidates(images, np.concatenate(confidence), np.concatenate(sizes), np.concatenate(places))


def _read(shards: Path) -> Iterator[tuple[int, KeypointArrays]]:
    return ((number, to_arrays(table)) for number, table in enumerate(iterate_keypoints(shards)))


def _passes(hands: KeypointArrays, mean: NDArray[np.float32], selection: Selection) -> NDArray[np.bool_]:
    passes = (mean >= selection.min_confidence) & (mean <= selection.max_confidence)
    if selection.hand is not None:
        passes &= np.array(hands.hands, object) == selection.hand
    if selection.match is not None:
        passes &= np.array([fnmatchcase(image, selection.match) for image in hands.images], bool)
    if selection.suspicious:
        passes &= np.any(list(judge(hands).values()), axis=0)
    return passes


def _order(candidates: _Candidates, sort: Sort) -> list[int]:
    """Return the candidates in order; those that are equal by name."""
    by_name = sorted(range(len(candidates.images)), key=candidates.images.__getitem__)
    if sort == "name":
        return by_name
    values = candidates.confidence if sort.endswith("confidence") else candidates.sizes
    keys = -values if sort.startswith("-") else values
    return [by_name[place] for place in np.argsort(keys[by_name], kind="stable")]


def _tiles(images: Sequence[str], order: Sequence[int], apart: bool) -> list[list[int]]:
    """Group hands, in order, into tiles; a photograph is where its first hand is."""
    if apart:
        return [[hand] for hand in order]
    tiles: dict[str, list[int]] = {}
    for hand in order:
        tiles.setdefault(images[hand], []).append(hand)
    return list(tiles.values())


def _load(shards: Path, places: NDArray[np.int64]) -> dict[tuple[int, int], ShownHand]:
    """Read the hands at these places [N, 2]."""
    loaded = {}
    for number, hands in _read(shards):
        rows = places[places[:, 0] == number, 1].tolist()
        flags = judge(hands) if rows else {}
        for row in rows:
            hand: Hand = "left" if hands.hands[row] == "left" else "right"
            box = Box(*hands.boxes[row].tolist())
            loaded[number, row] = ShownHand(hand, box, hands.keypoints[row], reasons(flags, row))
    return loaded


def _filters(selection: Selection) -> str:
    nothing = Selection()
    names = ("min_confidence", "max_confidence", "hand", "match", "suspicious")
    used = [f"--{name.replace('_', '-')}" for name in names if getattr(selection, name) != getattr(nothing, name)]
    return f" that passes {', '.join(used)}" if used else ""
