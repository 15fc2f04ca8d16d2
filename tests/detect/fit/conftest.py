"""A tiny labelled data set: pictures of 21 coloured dots in the shape of an open hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.records import Record, Split
from s2hand.datasets.skeleton import FINGERS
from s2hand.detect.fit.sources import RecordSource

SIZE = 128
COUNTS = {"training": 24, "evaluation": 8}


@dataclass(frozen=True)
class Dots:
    """Implements `Dataset`: the joints are at depth 1 and K is the identity, so that x and y are pixels."""

    root: Path
    name: str = "dots"

    def records(self, split: Split) -> Sequence[Record]:
        points = np.load(self.root / f"{split}.npy")
        return [self._record(split, index, xy) for index, xy in enumerate(points)]

    def _record(self, split: Split, index: int, xy: NDArray[np.float64]) -> Record:
        name = f"{split}-{index}.png"
        mask = self.root / f"mask-{name}"
        return Record(
            image=name,
            path=self.root / name,
            hand="right",
            K=np.eye(3),
            joints_cam=np.column_stack([xy, np.ones(len(xy))]),
            mask=mask if mask.exists() else None,
        )


def open_fingers() -> NDArray[np.float64]:
    """[21, 2] pixels: a wrist at the bottom and five straight fingers."""
    xy = np.zeros((21, 2))
    xy[0] = 64, 105
    for finger, angle in zip(FINGERS.values(), np.radians([-55, -22, 0, 20, 40]), strict=True):
        for step, joint in enumerate(finger):
            xy[joint] = xy[0] + (38 + 15 * step) * np.array([np.sin(angle), -np.cos(angle)])
    return xy


@pytest.fixture
def dots(tmp_path: Path) -> RecordSource:
    rng = np.random.default_rng(0)
    root = tmp_path / "dots"
    root.mkdir()
    for split, count in COUNTS.items():
        points = open_fingers() + rng.normal(0, 3, (count, 1, 2)) + rng.normal(0, 1, (count, 21, 2))
        np.save(root / f"{split}.npy", points)
        for index, xy in enumerate(points):
            picture, mask = _draw(xy, rng)
            cv2.imwrite(str(root / f"{split}-{index}.png"), picture[..., ::-1])
            if index % 2 == 0:
                cv2.imwrite(str(root / f"mask-{split}-{index}.png"), mask)
    return RecordSource(Dots(root))


def _draw(xy: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    picture = rng.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
    mask = np.zeros((SIZE, SIZE, 3), np.uint8)
    for joint, point in enumerate(xy):
        centre = tuple(int(value) for value in (point - 0.5).round())
        color = [int(120 + 135 * np.sin(joint + phase)) % 256 for phase in (0, 2, 4)]
        cv2.circle(picture, centre, 4, color, -1)
        cv2.circle(mask, centre, 6, (255, 255, 255), -1)
    return picture, mask
