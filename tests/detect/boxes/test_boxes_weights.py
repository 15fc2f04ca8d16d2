"""The packaged finder on a scene that this project's own code drew: `scene.jpg`, a left and a right hand, two heads."""

from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.cameras import mirror_image
from s2hand.datasets.images import read_image
from s2hand.detect.boxes.decode import overlaps
from s2hand.detect.boxes.localizer import SlimLocalizer
from s2hand.detect.hub import packaged_path

TRUE = {"left": (46.2, 71.6, 55.5, 88.0), "right": (286.4, 93.6, 77.7, 46.8)}  # of the joints: centre, width, height


@pytest.fixture(scope="module")
def finder() -> SlimLocalizer:
    return SlimLocalizer.load("slim")


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return read_image(Path(__file__).with_name("scene.jpg"))


def test_both_hands_are_found_and_nothing_else(finder, scene):
    found, hands = finder.find(scene)
    assert sorted(hands) == ["left", "right"]
    for box, hand in zip(found.boxes, hands, strict=True):
        assert overlaps(box[None], np.array([TRUE[hand]]))[0, 0] > 0.6


def test_the_mirrored_scene_has_the_other_hands(finder, scene):
    found, hands = finder.find(mirror_image(scene))
    for box, hand in zip(found.boxes, hands, strict=True):
        x, y, w, h = TRUE["left" if hand == "right" else "right"]
        assert overlaps(box[None], np.array([[scene.shape[1] - x, y, w, h]]))[0, 0] > 0.6
    assert len(found) == 2


@pytest.mark.parametrize("zoom", [0.5, 3])
def test_hands_are_found_at_other_sizes(finder, scene, zoom):
    image = scene[::2, ::2].copy() if zoom < 1 else scene.repeat(zoom, 0).repeat(zoom, 1)
    found, hands = finder.find(image)
    shared = [overlaps(found.boxes, zoom * np.array([TRUE[hand]])).max(initial=0) for hand in TRUE]
    assert max(shared) > 0.5
    assert "left" in hands


def test_nothing_is_found_where_nothing_is(finder):
    y, x = np.mgrid[:200, :300]
    for image in (np.full((200, 300), 90), (x * 0.8), (x // 20 + y // 20) % 2 * 200):
        found, _ = finder.find(np.repeat(image.astype(np.uint8)[..., None], 3, axis=2))
        assert len(found) == 0


def test_the_packaged_file_is_small():
    assert packaged_path("slim-boxes").stat().st_size < 3_000_000
