"""Connected peaks to people, by the published steps.

Limb after limb, each connection joins the person that already holds one of its two peaks, founds a new person, or
makes one of two that share no part. Whoever is left with few parts, or with weak ones, is no person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2hand.detect.body.maps import Floats, Peaks
from s2hand.detect.body.paf import Connections
from s2hand.detect.body.skeleton import FOUNDING_LIMBS, LIMBS, PART_COUNT

FEWEST_PARTS = 4
LOWEST_SCORE = 0.4  # per part: of the part's heatmap and its limb's field


@dataclass(frozen=True, eq=False)
class People:
    """The people in one image."""

    xy: Floats  # [P, 18, 2] column and row of the pixel; NaN where a part was not found
    value: Floats  # [P, 18] of the unsmoothed heatmap; 0 where not found

    def __post_init__(self) -> None:
        if self.xy.shape != (*self.value.shape, 2) or self.value.shape[1:] != (PART_COUNT,):
            raise ValueError(
                f"People: expected xy [P, {PART_COUNT}, 2] and value [P, {PART_COUNT}], "
                f"found {self.xy.shape} and {self.value.shape}"
            )


@dataclass(eq=False)
class _Draft:
    """A person in the making."""

    parts: NDArray[np.int64]  # [18] index into the peaks, or -1
    score: float
    count: int  # how often a part was added, which the published code takes for the number of parts

    def add(self, part: int, peak: int, score: float) -> None:
        self.parts[part] = peak
        self.score += score
        self.count += 1

    def absorb(self, other: "_Draft", score: float) -> None:
        self.parts = np.maximum(self.parts, other.parts)
        self.score += other.score + score
        self.count += other.count


def assemble(peaks: Peaks, connections: Sequence[Connections]) -> People:
    """Put the people of one image together; `connections` has one entry per limb of `LIMBS`."""
    drafts: list[_Draft] = []
    for number, ((start_part, end_part, _), limb) in enumerate(zip(LIMBS, connections, strict=True)):
        for start, end, score in zip(limb.start.tolist(), limb.end.tolist(), limb.score.tolist(), strict=True):
            held = [d for d in drafts if d.parts[start_part] == start or d.parts[end_part] == end]
            gain = score + float(peaks.value[end])
            if not held and number < FOUNDING_LIMBS:
                drafts.append(_found(start_part, start, end_part, end, gain + float(peaks.value[start])))
            elif len(held) == 1:
                if held[0].parts[end_part] != end:
                    held[0].add(end_part, end, gain)
            elif held and _share_a_part(held[0], held[1]):
                held[0].add(end_part, end, gain)
            elif held:
                held[0].absorb(held[1], score)
                drafts.remove(held[1])
    return _people(peaks, [d for d in drafts if d.count >= FEWEST_PARTS and d.score / d.count >= LOWEST_SCORE])


def _found(start_part: int, start: int, end_part: int, end: int, score: float) -> _Draft:
    parts = np.full(PART_COUNT, -1, np.int64)
    parts[start_part], parts[end_part] = start, end
    return _Draft(parts, score, 2)


def _share_a_part(one: _Draft, other: _Draft) -> bool:
    return bool(np.any((one.parts >= 0) & (other.parts >= 0)))


def _people(peaks: Peaks, drafts: Sequence[_Draft]) -> People:
    parts = np.array([draft.parts for draft in drafts], np.int64).reshape(-1, PART_COUNT)
    xy = np.full((*parts.shape, 2), np.nan)
    value = np.zeros(parts.shape)
    xy[parts >= 0] = peaks.xy[parts[parts >= 0]]
    value[parts >= 0] = peaks.value[parts[parts >= 0]]
    return People(xy, value)
