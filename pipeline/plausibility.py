"""Whether hands could be somebody's: joints bend as joints do, bones keep their length; needs no truth."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.skeleton import BONE_LENGTHS, BONES, FINGERS, WRIST
from s2hand.train.limits import joint_angles, joint_limit_excess
from s2hand.train.mano import HandModel

Floats = NDArray[np.floating[Any]]

TOLERANCE = math.radians(5.0)
"""Angles that exceed the range of their joint by less pass: the ranges are an average hand's."""


def plausibility(
    hand: HandModel,
    pose: Floats,  # [N, n <= 45] coefficients
    joints_cam: Floats,  # [N, 21, 3] metres
) -> dict[str, float]:
    """Measure N hands.

    Returns `within_limits`, the share of the joint angles (45 of a hand) that a hand can take, to within 5 degrees (the
    paper's Fig. 3B); `beyond_limits_deg`, the mean over the hands of the largest excess; `bone_deviation`, by which
    share a bone differs on average from an average hand's of the same palm; and `bone_spread`, by which share a bone
    differs from the same bone of the other hands: 0 where all photographs are taken for those of one person.
    """
    with torch.inference_mode():
        angles = joint_angles(hand.finger_axis_angle(torch.as_tensor(pose).to(hand.faces.device)), hand)
        excess = joint_limit_excess(angles).flatten(1).cpu().numpy()
    lengths = bone_lengths(joints_cam)
    average = np.array([BONE_LENGTHS[joint] for _, joint in BONES])
    return {
        "within_limits": float((excess <= TOLERANCE).mean()),
        "beyond_limits_deg": float(np.degrees(excess.max(axis=1)).mean()),
        "bone_deviation": float(np.abs(lengths / average - 1).mean()),
        "bone_spread": float((lengths.std(axis=0) / lengths.mean(axis=0)).mean()),
    }


def bone_lengths(joints_cam: Floats) -> Floats:  # [N, 21, 3] -> [N, 20]
    """Return the length of each bone over that of the palm, from the wrist to the base of the middle finger."""
    parents, children = (np.array(ends) for ends in zip(*BONES, strict=True))
    lengths = np.linalg.norm(joints_cam[:, children] - joints_cam[:, parents], axis=2)
    palm = np.linalg.norm(joints_cam[:, FINGERS["middle"][0]] - joints_cam[:, WRIST], axis=1, keepdims=True)
    relative: Floats = lengths / np.maximum(palm, 1e-6)
    return relative
