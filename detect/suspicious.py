"""Hands of a run that a human should look at: rules over keypoints alone, each with its limit and why.

A rule tells "hardly possible" from "possible", not right from wrong: a hand that trips none may still be wrong. The
limits leave alone what was measured on hands as they are: 3,000 random views of true hand poses, the labels of real
photographs, and 9,500 detections on synthetic ones.
"""

from collections import defaultdict
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.keypoints import KeypointArrays
from s2hand.datasets.skeleton import BONE_LENGTHS, BONES, JOINT_COUNT

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

SURE = 0.1
"""Joints below this confidence count for no rule but `low confidence`: a detector itself does not trust them."""

LEAST_JOINTS = 6
"""Fewer sure joints than this have no shape to judge; such hands are of low confidence anyway."""

LOW_CONFIDENCE = 0.2
"""Mean over all 21 joints. Half of random cuts out of photographs are below, and 1 of 94 real hands (slim weights)."""

CORNER = 0.3
"""All joints within this share of the box from one of its corners. A network that sees nothing finds all its maxima
there; in 9,500 detections at least one joint was 0.55 away."""

ONE_SPOT = 0.08
"""Extent of the joints over the box's side: all on one spot. It is 0.45 and more where the box was the hand's."""

LOOSE_BOX = 0.25
"""The same: the box is too large for the joints, so that the network saw few pixels of the hand. Published networks
were trained on boxes of about twice the hand's length."""

OUTSIDE = 0.2
"""Share of the joints that lie outside the image: more than one cut-off finger, and nothing to be seen there."""

BONE_RATIO = 2.2
"""The longest bone over the fourth longest, each in units of its usual length. One wrong joint lengthens two bones, so
the fourth longest is sound; views only ever shorten bones. At most 1.9 in true hands, 3.3 and more where a
joint is anywhere else."""

BONE_REACH = 1.5
"""The same unit over the extent of the joints: bones that are too long for a hand so small. At most 1.1 in true
hands, 2.3 where joints are scattered at random."""

LEAST_BONES = 12
"""Fewer bones than this give no unit to measure by."""

SAME_OVERLAP = 0.8
"""Overlap (IoU) of two hands' joint boxes: one hand that was found twice, or folded hands of which one is hidden."""

SAME_DISTANCE = 0.2
"""Mean distance of two hands' like joints over the extent of the larger: the same."""

RULES: dict[str, str] = {
    "low confidence": f"mean confidence below {LOW_CONFIDENCE}",
    "in a corner": f"all joints within {CORNER} of the box's side from one of its corners",
    "on one spot": f"joints spread over less than {ONE_SPOT} of the box",
    "loose box": f"joints spread over less than {LOOSE_BOX} of the box",
    "outside the image": f"more than {OUTSIDE} of the joints lie there",
    "impossible bones": "a bone far longer than the others, or all too long for so small a hand",
    "two hands on one spot": f"joint boxes overlap by {SAME_OVERLAP}, or like joints nearly meet",
}
"""Rule to what it means, in the order in which they are told."""


def judge(hands: KeypointArrays) -> dict[str, Flags]:
    """Return which hands trip each of the RULES: rule to flags [N]. All hands of an image must be among them."""
    joints = hands.keypoints.astype(np.float64)
    xy = np.where(joints[..., 2:] >= SURE, joints[..., :2], np.nan)
    known = np.isfinite(xy[..., 0]).sum(1)
    enough = known >= LEAST_JOINTS
    low, high = _bounds(xy)
    spread = (high - low).max(1) / hands.boxes[:, 2:].max(1)
    corner = enough & in_a_corner(low, high, hands.boxes, hands.sizes)
    spot = enough & ~corner & (spread < ONE_SPOT)
    outside = ((xy < 0) | (xy > hands.sizes[:, None])).any(-1).sum(1)
    return {
        "low confidence": joints[..., 2].mean(1) < LOW_CONFIDENCE,
        "in a corner": corner,
        "on one spot": spot,
        "loose box": enough & ~corner & ~spot & (spread < LOOSE_BOX),
        "outside the image": enough & (outside > OUTSIDE * known),
        "impossible bones": impossible_bones(xy),
        "two hands on one spot": on_another_hand(xy, hands.images),
    }


def reasons(flags: dict[str, Flags], hand: int) -> tuple[str, ...]:
    """Return the rules that one hand trips."""
    return tuple(rule for rule, tripped in flags.items() if tripped[hand])


def _bounds(xy: Floats) -> tuple[Floats, Floats]:  # [N, J, 2] -> [N, 2], [N, 2]
    """Return the smallest and largest coordinates of each hand; NaN where no joint is known."""
    return np.fmin.reduce(xy, axis=1), np.fmax.reduce(xy, axis=1)


def in_a_corner(low: Floats, high: Floats, boxes: Floats, sizes: NDArray[np.integer]) -> Flags:
    """Tell whether all joints, between low and high [N, 2], are in a corner of the box [N, 4].

    A box that reaches outside the image (of `sizes` [N, 2]) counts as a whole, and as the part that is inside.
    """
    start, stop = boxes[:, :2].astype(np.float64), boxes[:, :2].astype(np.float64) + boxes[:, 2:]
    inside = np.maximum(start, 0), np.minimum(stop, sizes)
    found = np.zeros(len(low), bool)
    for first, last in ((start, stop), inside):
        reach = CORNER * (last - first)
        found |= ((high <= first + reach) | (low >= last - reach)).all(1)
    return found


def impossible_bones(xy: Floats) -> Flags:  # [N, 21, 2], NaN where unknown -> [N]
    """Tell which hands have a bone that is far too long for the others, or for the hand: BONE_RATIO, BONE_REACH."""
    parents, children = np.array(BONES).T
    lengths = np.linalg.norm(xy[:, children] - xy[:, parents], axis=-1) / np.array(BONE_LENGTHS)[children]
    longest_first = -np.sort(-lengths, axis=1)  # NaN come last
    unit = longest_first[:, 3]
    low, high = _bounds(xy)
    impossible = (longest_first[:, 0] > BONE_RATIO * unit) | (unit > BONE_REACH * (high - low).max(1))
    impossible &= np.isfinite(lengths).sum(1) >= LEAST_BONES
    flags: Flags = impossible
    return flags


def on_another_hand(xy: Floats, images: list[str]) -> Flags:  # [N, 21, 2], N -> [N]
    """Tell which hands lie where another hand of the same image lies: SAME_OVERLAP, SAME_DISTANCE."""
    by_image: dict[str, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        by_image[image].append(index)
    pairs = np.array([pair for hands in by_image.values() for pair in combinations(hands, 2)], int).reshape(-1, 2)
    one, other = xy[pairs[:, 0]], xy[pairs[:, 1]]
    both = np.isfinite(one[..., 0] + other[..., 0])
    distances = np.where(both, np.linalg.norm(one - other, axis=-1), 0)
    mean = distances.sum(1) / np.maximum(both.sum(1), 1)
    low, high = _bounds(xy)
    extent = (high - low).max(1)[pairs].max(1)
    near = (both.sum(1) >= JOINT_COUNT // 3) & (mean < SAME_DISTANCE * extent)
    same = near | (_overlap(low[pairs], high[pairs]) > SAME_OVERLAP)
    flags = np.zeros(len(xy), bool)
    flags[pairs[same]] = True
    return flags


def _overlap(low: Floats, high: Floats) -> Floats:  # [P, 2 hands, 2], [P, 2 hands, 2] -> [P]
    """Return the intersection over union of two boxes; NaN for a hand without joints."""
    shared = np.clip(high.min(1) - low.max(1), 0, None).prod(-1)
    areas = (high - low).prod(-1).sum(-1)
    union: Floats = np.maximum(areas - shared, 1e-9)
    overlap: Floats = shared / union
    return overlap
