"""Hands of photographs: left and right, several, none, and boxes that are wrong."""

import numpy as np
import pytest

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.shards import Source
from s2hand.detect import HandDetector
from s2hand.detect.hands import HandFinder
from s2hand.detect.prefetch import Loaded


class Given:
    """Boxes by the image's name."""

    name, weights_sha256, parameters = "given", "", {}

    def __init__(self, boxes):
        self.boxes = boxes

    def locate(self, images, names):
        return [self.boxes.get(name, ()) for name in names]


def loaded(name, height=60, width=80, spots=()):
    image = np.zeros((height, width, 3), np.uint8)
    for x, y in spots:
        image[y, x] = 255
    return Loaded(Source(name, 1, "0"), image, "", width, height)


@pytest.fixture
def find(bright_spot):
    def run(boxes, group, **options):
        estimator = bright_spot()
        result = HandFinder(HandDetector(estimator), Given(boxes), **options).find(group)
        return result, estimator

    return run


def spots(rows):
    """Where the last joint, which is always found, was seen."""
    return [tuple(row.keypoints[20, :2].tolist()) for row in rows]


def test_each_hand_is_found_in_its_own_square(find):
    boxes = {
        "a": (HandBox(Box(0, 0, 20, 20), "left"), HandBox(Box(40, 20, 30, 30), "right")),
        "c": (HandBox(Box(10, 10, 20, 20), "left"),),
    }
    group = [loaded("a", spots=[(3, 4), (51, 42)]), loaded("b"), loaded("c", spots=[(12, 13)])]
    result, estimator = find(boxes, group)
    assert [source.image for source in result.sources] == ["a", "b", "c"]
    assert [(row.image, row.hand, row.hand_index) for row in result.rows] == [
        ("a", "left", 0), ("a", "right", 1), ("c", "left", 0)
    ]  # fmt: skip
    assert spots(result.rows) == [(3.5, 4.5), (51.5, 42.5), (12.5, 13.5)]
    assert [row.box for row in result.rows] == [Box(0, 0, 20, 20), Box(40, 20, 30, 30), Box(10, 10, 20, 20)]
    assert sorted(size for batch in estimator.batches for size in batch) == [(20, 20, 3), (20, 20, 3), (30, 30, 3)]


def test_boxes_are_enlarged_and_may_reach_outside(find):
    result, _ = find({"a": (HandBox(Box(0, 0, 20, 10), "right"),)}, [loaded("a", spots=[(3, 4)])], box_scale=2.0)
    assert result.rows[0].box == Box(-10, -15, 40, 40)
    # The grey outside is brighter than this photograph, but not than the spot.
    assert spots(result.rows) == [(3.5, 4.5)]


def test_a_wrong_box_fails_its_photograph_only(find):
    boxes = {
        "a": (HandBox(Box(0, 0, 20, 20), "right"), HandBox(Box(500, 0, 20, 20), "right")),
        "b": (HandBox(Box(0, 0, 20, 20), "right"),),
    }
    result, _ = find(boxes, [loaded("a"), loaded("b")])
    assert [(failure.image, failure.reason[:33]) for failure in result.failures] == [
        ("a", "hand box 500, 0, 20 x 20: outside")
    ]
    assert [row.image for row in result.rows] == ["b"]


def test_hands_of_low_confidence_are_left_out(find):
    boxes = {"a": (HandBox(Box(0, 0, 20, 20), "right"),)}
    mean = find(boxes, [loaded("a")])[0].rows[0].keypoints[:, 2].mean()
    assert len(find(boxes, [loaded("a")], min_confidence=float(mean) - 0.01)[0].rows) == 1
    assert find(boxes, [loaded("a")], min_confidence=float(mean) + 0.01)[0].rows == []


def test_a_photograph_that_could_not_be_read_is_a_failure(find):
    result, _ = find({}, [Loaded(Source("a", 0, ""), None, "the file is empty")])
    assert [(failure.image, failure.reason) for failure in result.failures] == [("a", "the file is empty")]


def test_a_photograph_decoded_smaller_gives_its_own_pixels(bright_spot):
    from s2hand.detect.localize import WholeImage

    small = loaded("a", spots=[(3, 4)])
    result = HandFinder(HandDetector(bright_spot()), WholeImage()).find(
        [Loaded(small.source, small.image, "", 319, 238, 4)]
    )
    assert spots(result.rows) == [(14, 18)]
    assert result.rows[0].box == Box(0, -40.5, 319, 319)
    assert (result.rows[0].width, result.rows[0].height) == (319, 238)


def test_a_box_that_is_the_whole_image_is_enlarged_as_any_other(find):
    result, _ = find({"a": (HandBox(Box(0, 0, 80, 60), "right"),)}, [loaded("a", spots=[(3, 4)])], box_scale=1.5)
    assert result.rows[0].box == Box(-20, -30, 120, 120)


class Small(Given):
    """Finds hands in one photograph at a time, and in none that is called `large`."""

    def locate(self, images, names):
        if len(images) > 1 or names == ["large"]:
            raise MemoryError
        return super().locate(images, names)


def test_photographs_that_do_not_fit_the_memory_together_are_searched_one_by_one(bright_spot):
    boxes = {name: (HandBox(Box(0, 0, 20, 20), "right"),) for name in ("a", "large", "c")}
    finder = HandFinder(HandDetector(bright_spot()), Small(boxes))
    result = finder.find([loaded("a"), loaded("large"), loaded("c")])
    assert [row.image for row in result.rows] == ["a", "c"]
    assert [(failure.image, failure.reason[:45]) for failure in result.failures] == [
        ("large", "image of 80 x 60 pixels: too large for the me")
    ]


def test_a_crop_that_is_too_large_fails_its_photograph_only(bright_spot, monkeypatch):
    detector, given = HandDetector(bright_spot()), {name: (HandBox(Box(0, 0, 20, 20), "right"),) for name in "abc"}
    detect = detector.detect

    def limited(crops, hand):
        if any(crop[3, 4].min() < 255 for crop in crops):
            raise ValueError("image of 20 x 20 pixels: too large for the memory; scale it down")
        return detect(crops, hand)

    monkeypatch.setattr(HandDetector, "detect", lambda self, crops, hand: limited(crops, hand))
    group = [loaded("a", spots=[(4, 3)]), loaded("b"), loaded("c", spots=[(4, 3)])]
    result = HandFinder(detector, Given(given)).find(group)
    assert [row.image for row in result.rows] == ["a", "c"]
    assert [(one.image, one.reason.partition(": ")[2]) for one in result.failures] == [
        ("b", "too large for the memory; scale it down")
    ]
