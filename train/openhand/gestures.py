"""Anatomical posing of the open hand, finger by finger: named poses and random gestures. Needs numpy only.

Every function returns the 45 axis-angle values (radians) that the hand model takes as `axis_angle`: 15 joints in
MANO's order, zero being the template; load the model with `flat_hand_mean=True` for them. Flexion is measured from a
straight finger, positive towards the palm. Digits are always thumb, index, middle, ring, little.
"""

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.collisions import ALLOWED, penetration
from s2hand.train.openhand.kinematics import rotation_matrix, rotation_vector
from s2hand.train.openhand.skeleton import DIGITS, REST_FLEXION, Array, digit_joints, mean_skeleton

_STRAIGHT = np.deg2rad([[0, 0, 0]] + 4 * [[-2, 0, 0]])
_CURLED = np.deg2rad([[28, 50, 65], [86, 107, 68], [88, 108, 68], [89, 104, 66], [88, 98, 60]])
_FAN = np.deg2rad([14.0, 10.0, 1.0, -8.0, -16.0])
_TOGETHER = 0.6  # the share of the fan that a full bend of the knuckles takes back
_DIGIT_ROWS = np.array([digit_joints(digit) for digit in DIGITS]) - 1


def joint_pose(
    flexion: npt.ArrayLike,
    splay: npt.ArrayLike = 0.0,
    opposition: npt.ArrayLike = 0.0,
    twist: npt.ArrayLike = 0.0,
) -> Array:
    """Axis-angle [..., 45] of a hand given joint by joint, all in radians.

    `flexion` [..., 5, 3] from a straight digit, base to tip; `splay` [..., 5] of the first joints, positive towards the
    thumb's side (for the thumb: away from the index); `opposition` [...] turns the thumb's base about the hand's
    length, in front of the palm; `twist` [..., 5] turns the first joints about their bones.
    """
    flexion = np.asarray(flexion, dtype=np.float64)
    batch = flexion.shape[:-2]
    splay = np.broadcast_to(splay, (*batch, 5))
    twist = np.broadcast_to(twist, (*batch, 5))
    opposition = np.broadcast_to(opposition, batch)
    axes = mean_skeleton().axes[1:][_DIGIT_ROWS]  # [5, 3, 3 (bone, flexion, back), 3]
    bend = flexion - np.deg2rad([REST_FLEXION[digit] for digit in DIGITS])
    turns = rotation_matrix(bend[..., None] * axes[:, :, 1])
    aside = rotation_matrix(splay[..., None] * axes[:, 0, 2]) @ rotation_matrix(twist[..., None] * axes[:, 0, 0])
    turns[..., :, 0, :, :] = turns[..., :, 0, :, :] @ aside
    round_hand = rotation_matrix(opposition[..., None] * np.array([1.0, 0.0, 0.0]))
    turns[..., 0, 0, :, :] = round_hand @ turns[..., 0, 0, :, :]
    ordered = np.empty((*batch, 15, 3))
    ordered[..., _DIGIT_ROWS, :] = rotation_vector(turns)
    return ordered.reshape(*batch, 45)


def _converging(knuckles: Array) -> Array:
    """The splays [..., 5] that close the gaps between fingers whose first joints bend by `knuckles` [..., 5]."""
    closing: Array = -_TOGETHER * _FAN * np.clip(knuckles / np.deg2rad(90.0), 0.0, 1.0) * (np.arange(5) > 0)
    return closing


def _degrees(flexion: list[tuple[float, float, float]], splay: tuple[float, ...], opposition: float) -> Array:
    bends = np.deg2rad(flexion)
    return joint_pose(bends, np.deg2rad(splay) + _converging(bends[:, 0]), np.deg2rad(opposition))


_BENT = [(86.0, 107.0, 68.0), (88.0, 108.0, 68.0), (89.0, 104.0, 66.0), (88.0, 98.0, 60.0)]
_OUT = (-2.0, 0.0, 0.0)
_NONE = (0.0, 0.0, 0.0, 0.0, 0.0)

GESTURES: dict[str, Array] = {
    "flat": _degrees([(0, 4, 2), *4 * [_OUT]], _NONE, 0.0),
    "fist": _degrees([(-8, 51, 61), *_BENT], (14, 0, 0, 0, 0), 36.0),
    "spread": _degrees([(-8, -4, -4), *4 * [_OUT]], (16.0, 10.0, 1.0, -8.0, -16.0), -4.0),
    "relaxed": _degrees([(8, 14, 14), (22, 28, 14), (26, 32, 16), (30, 34, 18), (34, 34, 18)], _NONE, 18.0),
    "pinch": _degrees([(4, 6, -12), (51, 36, 25), (38, 38, 20), (32, 34, 18), (28, 30, 16)], (0, 3.4, 0, 0, 0), 38.0),
    "ok": _degrees([(21, -5, -12), (47, 41, 25), (12, 14, 8), (4, 8, 5), (-4, 6, 4)], (0, 3.1, 0, -3, -8), 18.0),
    "point": _degrees([(4, 47, 61), _OUT, *_BENT[1:]], (6, 0, 0, 0, 0), 26.0),
    "victory": _degrees([(18, 58, 48), _OUT, _OUT, *_BENT[2:]], (7, 9, -7, 0, 0), 27.0),
    "thumbs_up": _degrees([(-12, -6, -10), *_BENT], (20, 0, 0, 0, 0), -4.0),
    "call": _degrees([(-8, -4, -4), *_BENT[:3], _OUT], (12.0, 0.0, 0.0, 0.0, -14.0), 0.0),
    "horns": _degrees([(4, 47, 61), _OUT, *_BENT[1:3], _OUT], (6, 5, 0, 0, -8), 26.0),
    "three": _degrees([(28, 51, 38), _OUT, _OUT, _OUT, _BENT[3]], (11, 6, 0, -6, 0), 41.0),
    "four": _degrees([(26, 50, 45), *4 * [_OUT]], (6, 5, 0, -4, -9), 40.0),
    "gun": _degrees([(-6, -2, -4), _OUT, *_BENT[1:]], (10.0, 0.0, 0.0, 0.0, 0.0), 0.0),
    "grip": _degrees([(8, 16, 18), *4 * [(46, 46, 24)]], _NONE, 44.0),
    "claw": _degrees([(0, 20, 40), *4 * [(0, 70, 45)]], (6.0, 5.0, 0.0, -5.0, -9.0), 20.0),
}
"""Named poses, axis-angle [45] each."""

_THUMBS = 10


def sample_fingers(rng: np.random.Generator) -> tuple[Array, Array]:
    """Flexions [4, 3] and splays [4] of the four fingers, each straight, bent or between on its own, or all alike."""
    together = rng.random() < 0.35
    if together:
        curl = np.clip(rng.beta(0.8, 0.9) + rng.normal(0.0, 0.07, 4) + rng.normal(0.0, 0.06) * np.arange(4), 0, 1)
    else:
        kinds = rng.choice(3, size=4, p=(0.42, 0.34, 0.24))
        curl = np.where(kinds == 0, rng.uniform(0, 0.12, 4), rng.uniform(0.82, 1.0, 4))
        curl = np.where(kinds == 2, rng.uniform(0.12, 0.82, 4), curl)
    knuckle = np.clip(curl + rng.normal(0.0, 0.10, 4), 0.0, 1.0)
    middle = np.clip(curl + rng.normal(0.0, 0.08, 4), 0.0, 1.0)
    if rng.random() < 0.12:  # hooks: knuckles straight, fingers bent
        knuckle *= rng.uniform(0.0, 0.4)
    shares = np.stack([knuckle, middle, np.clip(middle + rng.normal(0.0, 0.06, 4), 0.0, 1.0)], axis=1)
    flexion = _STRAIGHT[1:] + shares * (_CURLED - _STRAIGHT)[1:]
    flexion = flexion - np.deg2rad([8.0, 3.0, 3.0]) * rng.random((4, 3)) * (shares < 0.1)
    splay = (rng.uniform(-0.2, 1.0) * _FAN[1:] + rng.normal(0.0, np.deg2rad(1.8), 4)) * (1.0 - 0.85 * knuckle)
    return flexion, splay + _converging(np.concatenate([[0.0], flexion[:, 0]]))[1:]


def sample_thumbs(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Flexions [count, 3], splays [count] and oppositions [count] of thumbs, out, along the palm or across it."""
    across = rng.beta(0.8, 0.8, count)
    base = np.deg2rad(rng.uniform(-12.0, 14.0, count) + 14.0 * across)
    bent = np.clip(rng.beta(0.9, 1.3, count) + 0.25 * across, 0.0, 1.0)
    first = np.deg2rad(-4.0 + 56.0 * bent + rng.normal(0.0, 5.0, count))
    last = np.deg2rad(-10.0 + 78.0 * np.clip(bent + rng.normal(0.0, 0.22, count), 0.0, 1.0))
    splay = np.deg2rad(rng.uniform(-10.0, 18.0, count) * (1.0 - 0.6 * across))
    opposition = np.deg2rad(-8.0 + 76.0 * across)
    return np.stack([base, first, last], axis=1), splay, opposition


def sample_gesture(rng: np.random.Generator) -> Array:
    """A random gesture [45] that anatomy allows: fingers one by one, then a thumb that is free of them.

    Of `_THUMBS` random thumbs the first is taken that goes through nothing; if none is free, the one that goes least.
    """
    flexion, splay = sample_fingers(rng)
    thumb_flexion, thumb_splay, opposition = sample_thumbs(rng, _THUMBS)
    flexions = np.concatenate([thumb_flexion[:, None], np.broadcast_to(flexion, (_THUMBS, 4, 3))], axis=1)
    splays = np.concatenate([thumb_splay[:, None], np.broadcast_to(splay, (_THUMBS, 4))], axis=1)
    twist = rng.normal(0.0, np.deg2rad(2.0), (_THUMBS, 5))
    poses = joint_pose(flexions, splays, opposition, twist)
    depth = penetration(poses)
    free = depth <= ALLOWED
    chosen = int(np.argmax(free)) if free.any() else int(np.argmin(depth))
    return np.asarray(poses[chosen])
