"""Rotations and the kinematic chain in numpy, for the generator and the gestures (the layer itself is `train.mano`)."""

import numpy as np

from s2hand.train.openhand.skeleton import PARENTS, Array


def rotation_matrix(vector: Array) -> Array:
    """Axis-angle [..., 3] (radians) to rotation matrices [..., 3, 3] (Rodrigues)."""
    vector = np.asarray(vector, dtype=np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    sine = np.sinc(angle / np.pi)
    half = np.sinc(angle / (2.0 * np.pi))
    return np.asarray(np.eye(3) + sine * cross + 0.5 * half**2 * (cross @ cross))


def rotation_vector(matrix: Array) -> Array:
    """Rotation matrices [..., 3, 3] to axis-angle [..., 3]; for angles below half a turn, as joints have."""
    skew = np.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        axis=-1,
    )
    sine = 0.5 * np.linalg.norm(skew, axis=-1)
    cosine = 0.5 * (np.trace(matrix, axis1=-2, axis2=-1) - 1.0)
    angle = np.arctan2(sine, cosine)
    factor: Array = np.where(sine > 1e-9, angle / np.maximum(2.0 * sine, 1e-12), 0.5)
    return skew * factor[..., None]


def joint_transforms(axis_angle: Array, joints: Array) -> tuple[Array, Array]:
    """Rotations [..., 16, 3, 3] and offsets [..., 16, 3] that carry points at rest to the pose.

    `axis_angle` [..., 45] radians, `joints` [16, 3] at rest in any unit: a point x of joint j goes to R_j x + t_j.
    """
    local = rotation_matrix(np.asarray(axis_angle).reshape(*np.shape(axis_angle)[:-1], 15, 3))
    identity = np.broadcast_to(np.eye(3), (*local.shape[:-3], 3, 3))
    rotations, offsets = [identity], [np.zeros((*local.shape[:-3], 3))]
    for joint in range(1, 16):
        parent = PARENTS[joint]
        turned = rotations[parent] @ local[..., joint - 1, :, :]
        place = np.einsum("...ij,j->...i", rotations[parent], joints[joint]) + offsets[parent]
        rotations.append(turned)
        offsets.append(place - np.einsum("...ij,j->...i", turned, joints[joint]))
    return np.stack(rotations, axis=-3), np.stack(offsets, axis=-2)


def skin(vertices: Array, weights: Array, rotations: Array, offsets: Array) -> Array:
    """Linear blend skinning: vertices [V, 3] at rest, weights [V, 16] -> [..., V, 3]."""
    blended = np.einsum("vj,...jab->...vab", weights, rotations)
    moved = np.einsum("...vab,vb->...va", blended, vertices)
    moved += np.einsum("vj,...ja->...va", weights, offsets)
    return np.asarray(moved)
