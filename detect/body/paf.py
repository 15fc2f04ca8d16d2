"""Part affinity fields: which shoulder belongs to which elbow.

A field holds, along a limb, the unit vector from its one end to the other. Two peaks belong together when the
field between them points from the one to the other. The published measure: ten points on the line, their mean
dot product with the line's direction, less for a line that is longer than half the image's height; at least nine of
the ten must be above a threshold. Pairs are taken greedily, the best first. The readable twin is
`s2hand.detect.body.reference.limb_score`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2hand.detect.body.maps import Enlarged, Floats, Peaks
from s2hand.detect.body.skeleton import LIMBS

SAMPLES = 10
FIELD_THRESHOLD = 0.05
ENOUGH = 0.8  # of the samples, more than which must be above the threshold
PAIRS_AT_A_TIME = 1 << 13

Pairs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Connections:
    """The pairs of peaks that one limb joins, the best first."""

    start: Pairs  # [N] index into the peaks
    end: Pairs  # [N]
    score: Floats  # [N]


def connect(peaks: Peaks, fields: Enlarged) -> list[Connections]:
    """Join the peaks of one image, limb by limb in the order of `LIMBS`."""
    return [_connect_limb(peaks, fields, *limb) for limb in LIMBS]


def limb_scores(
    start: Pairs,  # [N, 2] column and row
    end: Pairs,  # [N, 2]
    fields: Enlarged,
    channel: int,  # of the field's x; the next one is its y
) -> Floats:  # [N]
    """Score pairs of pixels as the two ends of a limb; 0 for those that are none."""
    line = (end - start).astype(np.float64)
    length = np.maximum(np.hypot(line[:, 0], line[:, 1]), 0.001)
    direction = line / length[:, None]
    points = np.rint(np.linspace(start, end, SAMPLES, axis=1)).astype(np.int64)  # [N, 10, 2]
    along = fields.at(channel, points) * direction[:, :1] + fields.at(channel + 1, points) * direction[:, 1:]
    score = along.mean(axis=1) + np.minimum(0.5 * len(fields.rows) / length - 1, 0)
    enough = np.count_nonzero(along > FIELD_THRESHOLD, axis=1) > ENOUGH * SAMPLES
    return np.where(enough & (score > 0), score, 0.0)


def _connect_limb(peaks: Peaks, fields: Enlarged, start_part: int, end_part: int, channel: int) -> Connections:
    starts, ends = peaks.of_part(start_part), peaks.of_part(end_part)
    first, second = (index.ravel() for index in np.meshgrid(starts, ends, indexing="ij"))
    portions = [slice(at, at + PAIRS_AT_A_TIME) for at in range(0, len(first), PAIRS_AT_A_TIME)]
    scores = [limb_scores(peaks.xy[first[some]], peaks.xy[second[some]], fields, channel) for some in portions]
    return match(first, second, np.concatenate([*scores, np.empty(0)]))


def match(start: Pairs, end: Pairs, score: Floats) -> Connections:
    """Take pairs of positive score, the best first, each peak once at most."""
    taken: list[int] = []
    used_starts: set[int] = set()
    used_ends: set[int] = set()
    for index in np.argsort(-score, kind="stable")[: np.count_nonzero(score > 0)].tolist():
        a, b = int(start[index]), int(end[index])
        if a not in used_starts and b not in used_ends:
            taken.append(index)
            used_starts.add(a)
            used_ends.add(b)
    kept = np.array(taken, np.int64)
    return Connections(start[kept], end[kept], score[kept])
