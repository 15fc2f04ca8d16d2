"""How well a network finds hands in held-back scenes: precision, recall, sides, the score to believe it from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from s2hand.detect.boxes.decode import Found, merge, overlaps, peaks
from s2hand.detect.boxes.fit.compose import Scene
from s2hand.detect.fit.engine import to_input

HIT = 0.5
"""A hand is found if a box overlaps that of its joints by this much (IoU)."""

_LEAST = 0.05
_MOST = 30
_CHUNK = 20
_THRESHOLDS = np.arange(0.1, 0.91, 0.02)


@dataclass(frozen=True, eq=False)
class Matched:
    """The boxes found in many scenes, and what became of each."""

    scores: NDArray[np.float32]  # [M]
    hits: NDArray[np.bool_]  # [M] whether it is the best box of a hand
    right_side: NDArray[np.bool_]  # [M] whether that hand's side is right
    in_empty: NDArray[np.bool_]  # [M] whether its scene has no hand at all
    hands: int
    empty_scenes: int


def find(network: nn.Module, images: NDArray[np.uint8], bf16: bool) -> list[Found]:  # [B, S, S, 3]
    """Run the network over pictures as they are."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        maps = network(to_input(images)).float()
    return [merge(peaks(one, _LEAST, _MOST)) for one in maps]


def match(network: nn.Module, scenes: Sequence[Scene], bf16: bool, pool: ThreadPoolExecutor) -> Matched:
    """Find hands in scenes, in the threads of `pool`, and compare; boxes of hidden hands count for nothing."""
    network.eval()

    def run(first: int) -> list[NDArray[np.float32]]:
        some = scenes[first : first + _CHUNK]
        found = find(network, np.stack([scene.image for scene in some]), bf16)
        return [compare(one, scene) for one, scene in zip(found, some, strict=True)]

    rows = [row for part in pool.map(run, range(0, len(scenes), _CHUNK)) for row in part]
    table = np.concatenate(rows)
    hands = sum(len(scene.boxes) for scene in scenes)
    empty = sum(not len(scene.boxes) and not len(scene.ignored) for scene in scenes)
    return Matched(table[:, 0], table[:, 1] > 0, table[:, 2] > 0, table[:, 3] > 0, hands, empty)


def compare(found: Found, scene: Scene) -> NDArray[np.float32]:  # [M, 4]
    """Score, whether it is a hit, whether of the right side, whether there is no hand; the best boxes choose first."""
    shared = overlaps(found.boxes, scene.boxes)
    hidden = overlaps(found.boxes, scene.ignored).max(1, initial=0)
    taken = np.zeros(len(scene.boxes), bool)
    empty = not len(scene.boxes) and not len(scene.ignored)
    rows: list[tuple[float, bool, bool, bool]] = []
    for index in range(len(found)):
        free = np.where(taken, 0, shared[index])
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= HIT:
            taken[best] = True
            rows.append((found.scores[index], True, found.sides[index] == scene.sides[best], empty))
        elif hidden[index] < HIT:
            rows.append((found.scores[index], False, False, empty))
    return np.array(rows, np.float32).reshape(-1, 4)


def best_threshold(matched: Matched) -> float:
    """Return the score from which boxes count, where precision and recall together (F1) are best."""
    return float(round(max(_THRESHOLDS, key=lambda least: _scores(matched, least)["f1"]), 2))


def summarize(matched: Matched, threshold: float) -> dict[str, float]:
    """Return precision, recall, F1, the share of sides that are right, and false boxes per scene without hands."""
    return _scores(matched, threshold)


def _scores(matched: Matched, least: float) -> dict[str, float]:
    shown = matched.scores >= least
    hits = int((matched.hits & shown).sum())
    precision, recall = hits / max(int(shown.sum()), 1), hits / max(matched.hands, 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "sides": float(matched.right_side[matched.hits & shown].mean()) if hits else 0.0,
        "false_per_empty_scene": float((shown & matched.in_empty).sum() / max(matched.empty_scenes, 1)),
    }
