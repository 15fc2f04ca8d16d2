"""How deep the open hand's digits go through each other or the palm, by capsules around the bones. Needs numpy only."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.kinematics import joint_transforms
from s2hand.train.openhand.skeleton import (
    DIGITS,
    HALF_BREADTHS,
    Array,
    digit_joints,
    hand_axes,
    mean_skeleton,
)


@dataclass(frozen=True)
class Capsules:
    """Bones with flesh: ends [N, 2, 3] at rest (millimetres), radii [N], the joint that carries each [N] and the pairs
    [P, 2] that can meet.
    """

    ends: Array
    radii: Array
    joints: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]


ALLOWED = 1.5
"""Millimetres of overlap that flesh may give way."""
_SHRINK = 0.88  # sections are flatter than they are wide


@lru_cache(maxsize=1)
def hand_capsules() -> Capsules:
    """The capsules of the mean hand: three per digit (the thumb's metacarpal among them) and the palm's four."""
    skeleton = mean_skeleton()
    ends, radii, joints, parts, bones = [], [], [], [], []
    for number, digit in enumerate(DIGITS):
        chain = digit_joints(digit)
        middle, last = HALF_BREADTHS[digit]
        places = [*(skeleton.joints[j] for j in chain), skeleton.tips[number]]
        places[3] = places[3] - last * _SHRINK * skeleton.axes[chain[2], 0]
        for bone, radius in enumerate((middle, 0.5 * (middle + last), last)):
            ends.append((places[bone], places[bone + 1]))
            radii.append(radius * _SHRINK)
            joints.append(chain[bone])
            parts.append(number)
            bones.append(bone)
        if digit != "thumb":
            base = hand_axes(14.0, 0.0, 0.4 * float(places[0][2]))
            ends.append((base, places[0] + hand_axes(-6.0, -2.5, 0.0)))
            radii.append(11.5)
            joints.append(0)
            parts.append(5)
            bones.append(-1)
    pairs = [
        (a, b)
        for a in range(len(ends))
        for b in range(a + 1, len(ends))
        if parts[a] != parts[b] and _can_meet((parts[a], bones[a]), (parts[b], bones[b]))
    ]
    return Capsules(np.array(ends), np.array(radii), np.array(joints), np.array(pairs))


def _can_meet(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Bones that are joined at their roots always overlap: they are left out."""
    (part, bone), (other, further) = first, second
    if 5 in (part, other):
        return (further if part == 5 else bone) >= 1
    if 0 in (part, other):
        return (bone if part == 0 else further) >= 1
    return bone >= 1 or further >= 1


def segment_distance(p: Array, q: Array, r: Array, s: Array) -> Array:
    """Smallest distance [...] between segments p-q and r-s, each [..., 3] (Ericson's clamped closest points)."""
    d1, d2, w = q - p, s - r, p - r
    a, e, f = np.sum(d1 * d1, -1), np.sum(d2 * d2, -1), np.sum(d2 * w, -1)
    b, c = np.sum(d1 * d2, -1), np.sum(d1 * w, -1)
    spread = a * e - b * b
    along = np.clip(np.where(spread > 1e-9, (b * f - c * e) / np.maximum(spread, 1e-9), 0.0), 0.0, 1.0)
    other = (b * along + f) / e
    along = np.where(other < 0.0, np.clip(-c / a, 0, 1), np.where(other > 1.0, np.clip((b - c) / a, 0, 1), along))
    other = np.clip(other, 0.0, 1.0)
    gap = p + along[..., None] * d1 - r - other[..., None] * d2
    return np.asarray(np.sqrt(np.sum(gap * gap, axis=-1)))


@lru_cache(maxsize=1)
def _rest_joints() -> Array:
    return mean_skeleton().joints


def penetration(axis_angle: Array) -> Array:
    """The deepest overlap [...] in millimetres of any two capsules that can meet, for poses [..., 45]."""
    capsules = hand_capsules()
    rotations, offsets = joint_transforms(axis_angle, _rest_joints())
    turn, shift = rotations[..., capsules.joints, :, :], offsets[..., capsules.joints, :]
    placed = np.einsum("...nab,nkb->...nka", turn, capsules.ends) + shift[..., None, :]
    first, second = placed[..., capsules.pairs[:, 0], :, :], placed[..., capsules.pairs[:, 1], :, :]
    distance = segment_distance(first[..., 0, :], first[..., 1, :], second[..., 0, :], second[..., 1, :])
    reach = capsules.radii[capsules.pairs].sum(axis=1)
    return np.asarray(np.max(np.maximum(reach - distance, 0.0), axis=-1))
