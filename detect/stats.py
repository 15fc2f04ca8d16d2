"""What a finished detection run holds, in numbers: counts, confidences, joints, sizes, and hands to look at.

The run is read shard by shard. What is kept of a hand is two numbers, and its name if it is suspicious, so that a
million hands take some ten megabytes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.keypoints import KeypointArrays, iterate_keypoints, read_failures, to_arrays
from s2hand.datasets.manifest import read_manifest
from s2hand.datasets.rows import Provenance
from s2hand.datasets.skeleton import JOINT_COUNT, JOINT_NAMES
from s2hand.detect.suspicious import RULES, judge, reasons

_QUOTED = re.compile(r"""(?<!\w)(['"])(?:\\.|(?!\1).)*\1""", re.DOTALL)  # but no apostrophe: can't
BINS = 20  # of the confidence histogram, from 0 to 1
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
Progress = Callable[[int, int], None]  # (hands read, hands in all)


@dataclass(frozen=True)
class Suspicion:
    """A hand to look at, and the rules that it trips."""

    image: str
    hand: str
    hand_index: int
    confidence: float  # mean over its joints
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """What counts of one shard."""

    per_image: Counter[int]  # hands in an image -> images
    sides: Counter[str]  # right, left -> hands
    histogram: NDArray[np.int64]  # [21, BINS] hands, by joint and confidence; joints not found are left out
    found: NDArray[np.int64]  # [21] hands in which the joint was found
    sums: NDArray[np.float64]  # [21] of confidences
    confidence: NDArray[np.float32]  # [N] mean over a hand's joints
    sizes: NDArray[np.float32]  # [N] pixels, longer side of the box around the joints found; NaN without any
    suspicious: list[Suspicion]


@dataclass(frozen=True, eq=False)
class Statistics:
    """The numbers of a run."""

    provenance: Provenance
    images: int
    failures: Counter[str]  # reason, without what is particular to a file -> images
    hands: Part  # all shards together

    @property
    def images_with_hands(self) -> int:
        """Return how many images hold a hand."""
        return sum(self.hands.per_image.values())

    @property
    def rules(self) -> dict[str, int]:
        """Return how many hands trip each rule."""
        tripped = Counter(reason for one in self.hands.suspicious for reason in one.reasons)
        return {rule: tripped[rule] for rule in RULES}


def collect(shards: Path, progress: Progress | None = None) -> Statistics:
    """Read the finished run in the folder `shards` through, and count.

    Raises DataError if the run is not complete, or a shard is missing or altered.
    """
    manifest = read_manifest(shards)
    failed = Counter(failure_kind(image, reason) for image, reason in read_failures(shards).items())
    parts = list(_parts(shards, manifest.rows, progress or (lambda done, total: None)))
    return Statistics(manifest.provenance, manifest.images, failed, join(parts))


def _parts(shards: Path, total: int, progress: Progress) -> Iterator[Part]:
    done = 0
    for table in iterate_keypoints(shards):
        yield count(to_arrays(table))
        done += table.num_rows
        progress(done, total)


def count(hands: KeypointArrays) -> Part:
    """Count what N hands show; all hands of an image must be among them."""
    confidence = hands.keypoints[..., 2]
    found = confidence > 0
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1) + BINS * np.arange(JOINT_COUNT)
    mean = confidence.mean(1, dtype=np.float32)
    return Part(
        per_image=Counter(Counter(hands.images).values()),
        sides=Counter(hands.hands),
        histogram=np.bincount(bins[found], minlength=JOINT_COUNT * BINS).reshape(JOINT_COUNT, BINS),
        found=found.sum(0),
        sums=confidence.sum(0, dtype=np.float64),
        confidence=mean,
        sizes=hand_extents(hands.keypoints),
        suspicious=_suspicious(hands, mean),
    )


def hand_extents(keypoints: NDArray[np.float32]) -> NDArray[np.float32]:  # [N, 21, 3] -> [N]
    """Return the longer side of the box around each hand's joints, pixels; NaN for a hand without any."""
    xy = keypoints[..., :2]
    extents: NDArray[np.float32] = (np.fmax.reduce(xy, axis=1) - np.fmin.reduce(xy, axis=1)).max(-1)
    return extents


def _suspicious(hands: KeypointArrays, confidence: NDArray[np.float32]) -> list[Suspicion]:
    flags = judge(hands)
    tripped = np.flatnonzero(np.any(list(flags.values()), axis=0))
    return [
        Suspicion(
            hands.images[hand],
            hands.hands[hand],
            int(hands.hand_index[hand]),
            round(float(confidence[hand]), 4),
            reasons(flags, hand),
        )
        for hand in tripped.tolist()
    ]


def join(parts: list[Part]) -> Part:
    """Add up the parts of a run; of no parts, nothing."""
    nothing = np.zeros(JOINT_COUNT, np.int64)
    return Part(
        per_image=sum((part.per_image for part in parts), Counter()),
        sides=sum((part.sides for part in parts), Counter()),
        histogram=sum((part.histogram for part in parts), np.zeros((JOINT_COUNT, BINS), np.int64)),
        found=sum((part.found for part in parts), nothing),
        sums=sum((part.sums for part in parts), nothing.astype(np.float64)),
        confidence=np.concatenate([np.empty(0, np.float32), *(part.confidence for part in parts)]),
        sizes=np.concatenate([np.empty(0, np.float32), *(part.sizes for part in parts)]),
        suspicious=[one for part in parts for one in part.suspicious],
    )


def failure_kind(image: str, reason: str) -> str:
    """Return a failure's reason without the file's name, quoted paths and numbers, so that like ones count together."""
    _, _, message = reason.rpartition(f"{image}: ")
    return re.sub(r"\d+", "N", _QUOTED.sub("FILE", message))


def quantiles(values: NDArray[np.float32]) -> dict[str, float]:
    """Return QUANTILES of the numbers among the values, by name (`0.5` is the median); nothing of none."""
    numbers = values[np.isfinite(values)]
    if not len(numbers):
        return {}
    return {
        f"{q:g}": round(float(value), 4) for q, value in zip(QUANTILES, np.quantile(numbers, QUANTILES), strict=True)
    }


def joint_rates(hands: Part) -> dict[str, dict[str, float]]:
    """Return per joint: the share of hands in which it was found, and its mean confidence there."""
    total = max(len(hands.confidence), 1)
    shares, means = hands.found / total, hands.sums / np.maximum(hands.found, 1)
    return {
        name: {"found": round(float(shares[joint]), 4), "mean_confidence": round(float(means[joint]), 4)}
        for joint, name in enumerate(JOINT_NAMES)
    }


def as_json(statistics: Statistics) -> dict[str, Any]:
    """Return all the numbers, and every suspicious hand, as a JSON object."""
    hands = statistics.hands
    count = len(hands.confidence)
    return {
        **statistics.provenance.as_json(),
        "images": statistics.images,
        "images_with_hands": statistics.images_with_hands,
        "failures": dict(statistics.failures.most_common()),
        "hands": count,
        "right": hands.sides["right"],
        "left": hands.sides["left"],
        "images_by_hands": {str(number): images for number, images in sorted(hands.per_image.items())},
        "mean_confidence": round(float(hands.sums.sum()) / (count * JOINT_COUNT), 4) if count else None,
        "confidence_edges": [round(edge / BINS, 4) for edge in range(BINS + 1)],
        "confidence_histogram": hands.histogram.sum(0).tolist(),
        "hand_confidence_quantiles": quantiles(hands.confidence),
        "hand_size_px_quantiles": quantiles(hands.sizes),
        "joints": joint_rates(hands),
        "rules": {rule: {"hands": hits, "means": RULES[rule]} for rule, hits in statistics.rules.items()},
        "suspicious": [{**vars(one), "reasons": list(one.reasons)} for one in hands.suspicious],
    }
