"""Each rule: hands that trip it, and natural hands that do not."""

import numpy as np
import pytest

from s2hand.datasets.keypoints import KeypointArrays
from s2hand.detect.suspicious import RULES, judge, reasons

SIZE = 128


def _arrays(keypoints, images=None, boxes=None, sizes=None):
    """Hands one to an image, unless said otherwise, in the whole image."""
    count = len(keypoints)
    return KeypointArrays(
        images=list(images or (f"{number}.jpg" for number in range(count))),
        sha256=["a" * 64] * count,
        hands=["right"] * count,
        hand_index=np.zeros(count, np.int16),
        sizes=np.full((count, 2), SIZE, np.int32) if sizes is None else np.array(sizes, np.int32),
        boxes=np.tile(np.float32([0, 0, SIZE, SIZE]), (count, 1)) if boxes is None else np.float32(boxes),
        keypoints=np.asarray(keypoints, np.float32),
    )


def _reasons(hand, **more):
    more = {key: [value] for key, value in more.items()}
    return reasons(judge(_arrays(hand[None], **more)), 0)


def _moved(hand, scale=1.0, to=(0, 0)):
    """The hand, made smaller, with its top left corner at a place."""
    moved = hand.copy()
    moved[:, :2] = (hand[:, :2] - hand[:, :2].min(0)) * scale + np.float32(to)
    return moved


@pytest.fixture
def hand(natural_hands):
    return natural_hands[0]


def test_natural_hands_trip_no_rule(natural_hands):
    flags = judge(_arrays(natural_hands))
    assert list(flags) == list(RULES)
    assert not np.any(list(flags.values()))


def test_natural_hands_turned_anywhere_have_possible_bones(natural_hands):
    """What a view does to a flat hand: any turn and any foreshortening by up to a half."""
    generator = np.random.default_rng(1)
    for angle, squeeze in zip(generator.uniform(0, 6.3, 50), generator.uniform(0.5, 1, 50), strict=True):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [[1], [squeeze]]
        turned = natural_hands.copy()
        turned[..., :2] = natural_hands[..., :2] @ turn.T.astype(np.float32)
        assert not judge(_arrays(turned))["impossible bones"].any()


def test_low_confidence(hand):
    hand = hand.copy()
    hand[:, 2] = 0.21
    assert _reasons(hand) == ()
    hand[:, 2] = 0.19
    assert _reasons(hand) == ("low confidence",)
    hand[:, 2] = 0.9
    hand[:17] = (np.nan, np.nan, 0)  # 4 joints found, and those surely
    assert _reasons(hand) == ("low confidence",)
    hand[:] = (np.nan, np.nan, 0)
    assert _reasons(hand) == ("low confidence",)


@pytest.mark.parametrize("corner", [(0, 0), (98, 0), (0, 98), (98, 98)])
def test_all_joints_in_a_corner(hand, corner):
    small = _moved(hand, 0.25, corner)
    assert _reasons(small) == ("in a corner",)
    assert _reasons(_moved(hand, 0.25, (50, 50))) == ("loose box",)
    assert _reasons(_moved(hand, 0.25, (0, 50))) == ("loose box",)  # at a side


def test_a_corner_of_the_part_of_the_box_that_is_in_the_image(hand):
    wide = {"sizes": (SIZE, SIZE // 2), "boxes": (0, -SIZE / 4, SIZE, SIZE)}
    assert _reasons(_moved(hand, 0.15, (0, 0)), **wide) == ("in a corner",)
    assert _reasons(_moved(hand, 0.15, (50, 25)), **wide) == ("loose box",)


def test_a_hand_in_a_corner_of_a_large_image_is_natural(hand):
    assert _reasons(hand, sizes=(4000, 3000)) == ()


def test_all_joints_on_one_spot(hand):
    assert _reasons(_moved(hand, 0.05, (60, 60))) == ("on one spot",)
    same = hand.copy()
    same[:, :2] = 64
    assert _reasons(same) == ("on one spot",)


def test_a_box_much_larger_than_the_joints(hand):
    extent = float((hand[:, :2].max(0) - hand[:, :2].min(0)).max())
    box = (-3 * extent, -3 * extent, 6 * extent, 6 * extent)
    assert _reasons(_moved(hand), boxes=box) == ("loose box",)
    assert _reasons(hand, boxes=(0, 0, 2 * extent, 2 * extent)) == ()


def test_joints_outside_the_image(hand):
    width = float(np.sort(hand[:, 0])[-5]) - 0.1  # five joints are beyond
    assert _reasons(hand, sizes=(width, SIZE)) == ("outside the image",)
    width = float(np.sort(hand[:, 0])[-2])  # one is: a cut-off finger
    assert _reasons(hand, sizes=(np.ceil(width), SIZE)) == ()
    unsure = hand.copy()
    unsure[np.argsort(hand[:, 0])[-5:], 2] = 0.05  # nothing that the detector trusts
    assert _reasons(unsure, sizes=(np.sort(hand[:, 0])[-6] + 1, SIZE)) == ()


@pytest.mark.parametrize("joint", [3, 4, 6, 8, 10, 16, 18, 20])
def test_one_joint_elsewhere_makes_impossible_bones(natural_hands, joint):
    wrong = natural_hands.copy()
    towards = wrong[:, 0, :2] - wrong[:, joint, :2]
    wrong[:, joint, :2] = wrong[:, 0, :2] + 0.7 * towards  # beyond the wrist
    assert judge(_arrays(wrong))["impossible bones"].mean() > 0.8
    wrong[:, joint, 2] = 0.05  # a guess, and marked as one
    assert not judge(_arrays(wrong))["impossible bones"].any()


def test_scattered_joints_make_impossible_bones():
    scattered = np.random.default_rng(3).uniform(0, SIZE, (200, 21, 3))
    scattered[..., 2] = 0.9
    assert judge(_arrays(scattered))["impossible bones"].mean() > 0.98


def test_two_hands_on_one_spot(natural_hands):
    hand, other = natural_hands[0], natural_hands[1]
    near = hand + np.float32([3, -2, 0])
    beside = _moved(other, to=(100, 0))
    hands = [hand, near, beside, hand]
    flags = judge(_arrays(hands, images=["a", "a", "a", "b"]))["two hands on one spot"]
    assert flags.tolist() == [True, True, False, False]


def test_one_hand_taken_for_right_and_left_lies_in_the_same_box(natural_hands):
    hand = natural_hands[0]
    mirrored = hand.copy()
    mirrored[:, 0] = hand[:, 0].min() + hand[:, 0].max() - hand[:, 0]
    assert judge(_arrays([hand, mirrored], images=["a", "a"]))["two hands on one spot"].all()


def test_hands_that_touch_are_natural(natural_hands):
    hand = natural_hands[0]
    extent = (hand[:, :2].max(0) - hand[:, :2].min(0)).max()
    beside = hand + np.float32([extent * 0.5, 0, 0])
    nothing = np.tile(np.float32([np.nan, np.nan, 0]), (21, 1))
    flags = judge(_arrays([hand, beside, nothing], images=["a", "a", "a"]))
    assert not flags["two hands on one spot"].any()


def test_no_hands_trip_nothing():
    flags = judge(_arrays(np.empty((0, 21, 3))))
    assert [flag.shape for flag in flags.values()] == [(0,)] * len(RULES)
