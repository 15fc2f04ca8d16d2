"""Arms to hand squares, against the published code's."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2hand.detect.body.hands import hand_boxes, hand_square
from s2hand.detect.body.people import People

CASES = json.loads((Path(__file__).parents[1] / "reference" / "hand_squares.json").read_text())


def _people(case) -> People:
    parts = np.array(case["subset"])[:, :18].astype(int)
    places = np.array(case["candidate"])[:, :2]
    xy = np.where(parts[:, :, None] >= 0, places[parts], np.nan)
    return People(xy, (parts >= 0).astype(float))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("note", f"{case['width']} x {case['height']}"))
def test_squares_agree_with_the_original(case):
    boxes = hand_boxes(_people(case), case["width"], case["height"])
    assert [[b.box.x, b.box.y, b.box.w, b.hand == "left"] for b in boxes] == case["boxes"]
    assert all(b.box.w == b.box.h for b in boxes)


def test_the_reference_has_both_hands_and_none():
    assert len(CASES) == 15
    assert {len(case["boxes"]) for case in CASES} >= {0, 1, 2}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_arm_that_is_not_whole_has_no_hand(missing):
    arm = np.array([[100.0, 100.0], [160.0, 100.0], [220.0, 100.0]])
    assert hand_square(arm, 640, 480) is not None
    arm[missing] = np.nan
    assert hand_square(arm, 640, 480) is None
