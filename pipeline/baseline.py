"""The constant hand: what a network has to beat before its numbers mean anything."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

PROCRUSTES_ROUNDS = 10


@dataclass(frozen=True)
class ConstantHand:
    """One hand, given as the answer to every image: the best single one for each question.

    `joints_cam` [21, 3] and `vertices_cam` [778, 3] (metres): the mean hand at the mean position and depth, which
    minimises the squared error when nothing is aligned. `joints_shape` and `vertices_shape`: the Procrustes mean, the
    hand that is closest to all others once rotation, scale and position are taken out; the plain mean of hands that
    look in all directions shrinks to a lump and would be too easy to beat there. None: the true vertices are unknown.
    """

    joints_cam: Floats
    joints_shape: Floats
    vertices_cam: Floats | None
    vertices_shape: Floats | None


def constant_hand(
    joints_cam: Floats,  # [N, 21, 3] metres, camera
    vertices_cam: Floats | None,  # [N, 778, 3]
) -> ConstantHand:
    """Return the best constant hand for these true hands (it is fitted to the truth: an upper bound for constants)."""
    return ConstantHand(
        joints_cam=joints_cam.mean(axis=0),
        joints_shape=procrustes_mean(joints_cam),
        vertices_cam=None if vertices_cam is None else vertices_cam.mean(axis=0),
        vertices_shape=None if vertices_cam is None else procrustes_mean(vertices_cam),
    )


def procrustes_mean(points: Floats) -> Floats:
    """Return the mean shape of `points` [N, P, 3] after removing position, size and rotation (Gower 1975).

    The result [P, 3] is centred and has the sets' mean size, in the unit of `points`.
    """
    centred = points - points.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    shapes = centred / np.maximum(sizes, 1e-12)
    mean = shapes[0]
    for _ in range(PROCRUSTES_ROUNDS):
        aligned = shapes @ _rotations_onto(shapes, mean)
        mean = aligned.mean(axis=0)
        mean = mean / np.linalg.norm(mean)
    return np.asarray(mean * sizes.mean())


def _rotations_onto(shapes: Floats, target: Floats) -> Floats:
    """Return the proper rotations [N, 3, 3] that turn each shape (rows are points) best onto `target` (Kabsch 1976)."""
    u, _, vt = np.linalg.svd(np.swapaxes(shapes, 1, 2) @ target)
    flip = np.sign(np.linalg.det(u @ vt))
    u[:, :, -1] *= flip[:, None]
    return np.asarray(u @ vt)
