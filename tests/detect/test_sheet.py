"""Contact sheets and the hands drawn on them."""

import cv2
import numpy as np
import pytest

from s2hand.datasets.drawing import FINGER_COLORS, draw_hand, joint_color
from s2hand.detect import DetectSettings, HandDetector, run_detection
from s2hand.detect import run as run_module
from s2hand.detect import sheet as module
from s2hand.detect.sheet import TILE, spread, write_sheets


@pytest.fixture
def shards(photographs, tmp_path, monkeypatch, bright_spot):
    monkeypatch.setattr(run_module.HandDetector, "load", lambda *_, **__: HandDetector(bright_spot()))
    run_detection(photographs, tmp_path / "shards", DetectSettings(shard_size=4))
    return tmp_path / "shards"


def _hand(confidence):
    """A hand whose joints lie on a grid of 20 pixels, wrist at (20, 20)."""
    places = [(20 + 20 * (joint % 5), 20 + 20 * (joint // 5)) for joint in range(21)]
    return np.concatenate([np.array(places, np.float32), np.full((21, 1), confidence, np.float32)], axis=1)


def test_joints_have_the_colour_of_their_finger():
    image = np.zeros((256, 256, 3), np.uint8)
    hand = _hand(1.0)
    draw_hand(image, hand)
    for tip, finger in zip((4, 8, 12, 16, 20), FINGER_COLORS, strict=True):
        x, y = hand[tip, :2].astype(int)
        assert tuple(image[y, x]) == FINGER_COLORS[finger] == joint_color(tip)
    assert joint_color(0) == (255, 255, 255)


def test_the_surer_the_bolder():
    drawn = []
    for confidence in (0.1, 0.5, 1.0):
        image = np.zeros((256, 256, 3), np.uint8)
        draw_hand(image, _hand(confidence))
        drawn.append(int(image.sum()))
    assert 0 < drawn[0] < drawn[1] < drawn[2]


def test_missing_joints_and_their_bones_are_left_out():
    image = np.zeros((256, 256, 3), np.uint8)
    draw_hand(image, np.full((21, 3), [np.nan, np.nan, 0], np.float32))
    assert not image.any()
    hand = _hand(1.0)
    hand[0] = (np.nan, np.nan, 0)
    draw_hand(image, hand)
    assert not image[18:23, 10:30].any()
    assert image.any()


def test_joints_outside_the_image_are_harmless():
    image = np.zeros((20, 30, 3), np.uint8)
    draw_hand(image, _hand(1.0) - np.array([100, 300, 0], np.float32))
    draw_hand(image, _hand(1.0) * np.array([1000, -1000, 1], np.float32))


def test_one_page_shows_every_photograph(photographs, shards, tmp_path):
    pages = write_sheets(photographs, shards, tmp_path / "new folder" / "sheet.png")
    assert pages == [tmp_path / "new folder" / "sheet.png"]
    page = cv2.imread(str(pages[0]))
    assert page.shape[1] > 4 * TILE
    assert page.shape[0] > 3 * TILE


def test_many_photographs_take_several_pages(photographs, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PER_PAGE", 4)
    sheet = tmp_path / "sheet.png"
    assert [page.name for page in write_sheets(photographs, shards, sheet)] == [
        "sheet.png",
        "sheet.page2.png",
        "sheet.page3.png",
    ]
    monkeypatch.setattr(module, "PER_PAGE", 100)
    assert write_sheets(photographs, shards, sheet) == [sheet]
    assert not (tmp_path / "sheet.page2.png").exists()


def test_a_photograph_that_is_gone_leaves_a_grey_tile(photographs, shards, tmp_path):
    (photographs / "00.png").unlink()
    page = cv2.imread(str(write_sheets(photographs, shards, tmp_path / "s.png")[0]))
    assert (page[module.HEADER + 50, module.GAP + 50] == 90).all()


def test_large_runs_are_sampled_evenly():
    assert spread(3, 5) == [0, 1, 2]
    assert spread(1001, 5) == [0, 250, 500, 750, 1000]


def test_other_formats_and_unfinished_runs_are_refused(photographs, shards, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png"):
        write_sheets(photographs, shards, tmp_path / "sheet.jpg")
    (shards / "manifest.json").unlink()
    with pytest.raises(ValueError, match="manifest"):
        write_sheets(photographs, shards, tmp_path / "sheet.png")
