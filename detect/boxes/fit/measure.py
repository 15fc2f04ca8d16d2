"""How well hands are found in held-back scenes: precision, recall, sides; and what the judge learns from that."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from s2hand.datasets.records import HANDS
from s2hand.detect.boxes.decode import Found, merge, overlaps, peaks
from s2hand.detect.boxes.fit.compose import Scene
from s2hand.detect.boxes.judge import LEAST_SCORE, Judge, Opinion, ask, fit_judge
from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.engine import to_input

HIT = 0.5
"""A hand is found if a box overlaps that of its joints by this much (IoU)."""

_MOST = 12
_THRESHOLDS = np.arange(0.1, 0.91, 0.02)
_NONE = -1


@dataclass(frozen=True, eq=False)
class Matched:
    """The boxes found in many scenes, and what became of each."""

    scores: NDArray[np.float32]  # [M]
    opinion: Opinion
    hands: NDArray[np.int64]  # [M] RIGHT or LEFT of the hand that it is the best box of; -1 if of none
    in_empty: NDArray[np.bool_]  # [M] whether its scene has no hand at all
    all_hands: int
    empty_scenes: int

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Return which boxes are of a hand."""
        return np.not_equal(self.hands, _NONE)


def find(network: nn.Module, image: NDArray[np.uint8], bf16: bool) -> Found:  # [S, S, 3]
    """Run the network over a picture as it is."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        maps = network(to_input(image[None]))[0]
    return merge(peaks(maps.float(), LEAST_SCORE, _MOST))


def match(
    network: nn.Module, detector: HandDetector, scenes: Sequence[Scene], bf16: bool, pool: ThreadPoolExecutor
) -> Matched:
    """Find hands in scenes, in the threads of `pool`, and compare; boxes of hidden hands count for nothing."""
    network.eval()

    def run(scene: Scene) -> Matched:
        found = find(network, scene.image, bf16)
        hands, counts = compare(found, scene)
        found, empty = found.take(counts), not len(scene.boxes) and not len(scene.ignored)
        opinion = ask(detector, scene.image, found.boxes)
        return Matched(found.scores, opinion, hands[counts], np.full(len(found), empty), len(scene.boxes), int(empty))

    parts = list(pool.map(run, scenes))
    return Matched(
        np.concatenate([part.scores for part in parts]),
        Opinion(
            np.concatenate([part.opinion.sure for part in parts]),
            np.concatenate([part.opinion.agreement for part in parts]),
        ),
        np.concatenate([part.hands for part in parts]),
        np.concatenate([part.in_empty for part in parts]),
        sum(part.all_hands for part in parts),
        sum(part.empty_scenes for part in parts),
    )


def compare(found: Found, scene: Scene) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the side of the hand that each box is the best of (-1: none), and which boxes count.

    The surest boxes choose first; those of hidden hands do not count.
    """
    shared = overlaps(found.boxes, scene.boxes)
    hands = np.full(len(found), _NONE)
    for index in range(len(found)):
        best = int(shared[index].argmax()) if shared.shape[1] else _NONE
        if best != _NONE and shared[index, best] >= HIT:
            hands[index] = scene.sides[best]
            shared[:, best] = 0
    hidden = overlaps(found.boxes, scene.ignored).max(1, initial=0) >= HIT
    return hands, (hands != _NONE) | ~hidden


def make_judge(matched: Matched) -> Judge:
    """Return the judge that these boxes teach, its threshold where the F-score is best."""
    judge = fit_judge(matched.scores, matched.opinion, matched.hits)
    judges = [replace(judge, threshold=round(float(least), 2)) for least in _THRESHOLDS]
    return max(judges, key=lambda one: summarize(matched, one)["f0.5"])


def summarize(matched: Matched, judge: Judge) -> dict[str, float]:
    """Return precision, recall, F-score, the share of sides that are right, and false boxes per scene without hands.

    The F-score is F0.5, for which precision counts twice as much as recall: of many photographs, most have hands that
    are easily found, and a false one is worse than one that is missed.
    """
    shown = judge(matched.scores, matched.opinion) >= judge.threshold
    found = matched.hits & shown
    hits = int(found.sum())
    precision, recall = hits / max(int(shown.sum()), 1), hits / max(matched.all_hands, 1)
    side_right = np.array(
        [HANDS[true] == told for true, told in zip(matched.hands, matched.opinion.hands, strict=True)]
    )
    return {
        "precision": precision,
        "recall": recall,
        "f0.5": 1.25 * precision * recall / max(0.25 * precision + recall, 1e-9),
        "sides": float(side_right[found].mean()) if hits else 0.0,
        "false_per_empty_scene": float((shown & matched.in_empty).sum() / max(matched.empty_scenes, 1)),
    }
