"""The hand model's function in NumPy, for one hand at a time: pose and shape to vertices and joints.

The layer itself is `s2hand.train.mano`; this twin spares the worker processes from loading torch. A test compares them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import s2hand.train
from s2hand.datasets.skeleton import MANO_TO_OURS
from s2hand.pipeline.synthetic.noise import Floats
from s2hand.train.hand_files import HandArrays, read_hand_file

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class PosedHand:
    """A hand posed about its wrist joint.

    vertices [778, 3], joints [21, 3] (our order, tips included), rotations [16, 3, 3] of MANO's joints; metres.
    """

    vertices: Doubles
    joints: Doubles
    rotations: Doubles


@cache
def open_hand() -> HandArrays:
    """The arrays of the open hand that ships with the package."""
    return read_hand_file(Path(s2hand.train.__file__).parent / "assets" / "open_hand.npz")


def cross(a: Floats, b: Floats) -> Doubles:
    """The cross product of two vectors [3]; `np.cross` spends most of its time on finding out that they are that."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def rotation_matrix(axis_angle: Doubles) -> Doubles:
    """Axis-angle [N, 3] in radians to rotation matrices [N, 3, 3] (Rodrigues)."""
    angle = np.sqrt((axis_angle**2).sum(-1))
    axis = axis_angle / np.maximum(angle, 1e-12)[:, None]
    skew = np.zeros((len(axis), 3, 3))
    skew[:, [2, 0, 1], [1, 2, 0]] = axis
    skew[:, [1, 2, 0], [2, 0, 1]] = -axis
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.asarray(np.eye(3) + sine * skew + (1 - cosine) * (skew @ skew))


def rotation_vector(matrix: Doubles) -> Doubles:
    """A rotation matrix [3, 3] to axis-angle [3] in radians, exact up to half a turn (through the quaternion)."""
    trace = np.trace(matrix)
    products = np.empty((4, 4))  # of the quaternion (x, y, z, w) with itself, times 4
    products[:3, :3] = matrix + matrix.T
    products[np.arange(3), np.arange(3)] = 1 + 2 * np.diag(matrix) - trace
    skew = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    products[3, :3] = products[:3, 3] = skew
    products[3, 3] = 1 + trace
    column = products[int(np.argmax(np.diag(products)))]
    quaternion = column / np.linalg.norm(column) * (1.0 if column[3] >= 0 else -1.0)
    sine = float(np.linalg.norm(quaternion[:3]))
    if sine < 1e-12:
        return np.zeros(3)
    return np.asarray(quaternion[:3] / sine * 2 * np.arctan2(sine, quaternion[3]))


def pose_hand(hand: HandArrays, axis_angle: Doubles, shape: Doubles, rotation: Doubles) -> PosedHand:
    """Pose one hand.

    axis_angle: [45] of the fifteen joints of the fingers, radians, the mean pose included (as with flat_hand_mean).
    shape: [10]. rotation: [3] axis-angle about the wrist joint. The wrist joint stays where the shape puts it.
    """
    shaped = hand.v_template + hand.shapedirs @ shape
    rest = hand.J_regressor @ shaped
    local = rotation_matrix(np.concatenate([rotation, axis_angle]).reshape(16, 3))
    corrective = hand.posedirs @ (local[1:] - np.eye(3)).reshape(-1)
    rotations, places = np.empty((16, 3, 3)), np.empty((16, 3))
    rotations[0], places[0] = local[0], rest[0]
    for joint in range(1, 16):
        parent = int(hand.parents[joint])
        rotations[joint] = rotations[parent] @ local[joint]
        places[joint] = places[parent] + rotations[parent] @ (rest[joint] - rest[parent])
    offsets = places - np.einsum("jab,jb->ja", rotations, rest)
    transforms = np.concatenate([rotations, offsets[..., None]], -1).reshape(16, 12)
    blended = (hand.weights @ transforms).reshape(-1, 3, 4)
    posed = np.einsum("vab,vb->va", blended[..., :3], shaped + corrective) + blended[..., 3]
    tips = posed[_fingertips(hand)]
    return PosedHand(posed, np.concatenate([places, tips])[MANO_TO_OURS], rotations)


def _fingertips(hand: HandArrays) -> list[int]:
    """The five fingertip vertices, thumb to little finger; the open hand names its own."""
    if hand.fingertips is None:
        raise ValueError("the hand model names no fingertips: expected 5 vertices under 'fingertips' in its .npz")
    return list(hand.fingertips)
