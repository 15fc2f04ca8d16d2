"""Outlines of hands by colour alone, on rendered photographs whose true silhouettes are known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.skeleton import BONES
from s2hand.pipeline.silhouettes import before_wrist, hand_region, overlap

SIZE = 96
# A hand of five straight fingers that looks up, and an arm below it.
XY = np.array(
    [(48, 70)]
    + [(48 + side * (0.35 + 0.65 * step / 3), 70 - reach * (0.3 + 0.7 * step / 3)) for side, reach in
       ((-34, 34), (-20, 52), (-4, 58), (12, 54), (28, 44)) for step in range(4)],
    float,
)  # fmt: skip


def keypoints(confidence: float = 0.9) -> NDArray[np.float32]:
    return np.concatenate([XY, np.full((21, 1), confidence)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def scene() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A skin-coloured hand before green noise, and its mask; the arm belongs to the picture, not to the mask."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for a, b in BONES:
        cv2.line(mask, XY[a].astype(int).tolist(), XY[b].astype(int).tolist(), 1, 7)
    cv2.fillConvexPoly(mask, cv2.convexHull(XY[[0, 1, 5, 9, 13, 17]].astype(np.int32)), 1)
    shown = mask.copy()
    cv2.rectangle(shown, (40, 70), (56, SIZE), 1, -1)
    random = np.random.default_rng(0)
    image = random.normal((60, 120, 60), 12, (SIZE, SIZE, 3))
    image[shown > 0] = random.normal((210, 160, 140), 12, (int(shown.sum()), 3))
    return image.clip(0, 255).astype(np.uint8), mask.astype(bool)


def test_the_outline_is_found(scene: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
    image, mask = scene
    region, where = hand_region(image, keypoints()), before_wrist(keypoints(), SIZE)
    assert region is not None
    assert overlap(region, mask, where) > 0.85
    shifted = np.roll(mask, 12, axis=1)
    assert overlap(region, shifted, where) < 0.7


def test_it_is_the_same_every_time(scene: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
    first, second = (hand_region(scene[0], keypoints()) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first, second)


def test_a_large_crop_is_scaled_down_and_back(scene: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
    image, mask = (cv2.resize(a.astype(np.uint8), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST) for a in scene)
    found = hand_region(image.astype(np.uint8), keypoints() * np.array([3, 3, 1], np.float32))
    assert found is not None
    assert found.shape == (3 * SIZE, 3 * SIZE)
    assert overlap(found, mask.astype(bool), before_wrist(keypoints() * np.array([3, 3, 1]), 3 * SIZE)) > 0.8


def test_too_little_is_known(scene: tuple[NDArray[np.uint8], NDArray[np.bool_]]) -> None:
    few = keypoints()
    few[11:] = (np.nan, np.nan, 0)
    assert hand_region(scene[0], few) is None
    far = keypoints()
    far[15:, :] = (np.nan, np.nan, 0)
    assert hand_region(scene[0], far) is not None


def test_the_side_of_the_wrist() -> None:
    where = before_wrist(keypoints(), SIZE)
    assert where[:60].all()
    assert not where[80:].any()
    lost = keypoints()
    lost[0] = (np.nan, np.nan, 0)
    assert before_wrist(lost, SIZE).all()


def test_overlap() -> None:
    everywhere = np.ones((2, 2), bool)
    one, two = np.array([[1, 0], [0, 0]], bool), np.array([[1, 1], [0, 0]], bool)
    assert overlap(one, two, everywhere) == 0.5
    assert overlap(one, two, one) == 1.0
    assert np.isnan(overlap(~everywhere, ~everywhere, everywhere))
