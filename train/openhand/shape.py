"""Shape directions: how the hand's surface and joints differ between people, and the joint regressor that follows.

The spreads are rounded relative standard deviations of adults (women and men together), as hand surveys such as
Garrett (1971) and Greiner (1991, "Hand anthropometry of U.S. Army personnel") report them for lengths and breadths;
those of the softer measures (thenar muscle, taper) are our own guesses.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from s2hand.train.openhand.implicit import HandSurface
from s2hand.train.openhand.mesh import HandMesh
from s2hand.train.openhand.skeleton import DIGITS, Array, Build, Skeleton, digit_joints, make_skeleton
from s2hand.train.openhand.surface import make_surface

SPREAD = {
    "size": 0.060,
    "finger_length": 0.035,
    "thumb_length": 0.045,
    "palm_length": 0.030,
    "palm_breadth": 0.045,
    "palm_depth": 0.060,
    "finger_breadth": 0.050,
    "finger_depth": 0.050,
    "little_length": 0.040,
    "index_to_ring": 0.025,
    "thenar": 0.100,
    "taper": 0.060,
    "wrist": 0.050,
}
"""One standard deviation of each of `Build`'s factors."""
SHAPES = 10


@dataclass(frozen=True)
class ShapeSpace:
    """Directions of the vertices [10, 778, 3] and of the joints [10, 16, 3], millimetres per standard deviation."""

    vertices: Array
    joints: Array


def levels(surface: HandSurface, mesh: HandMesh) -> Array:
    """The field at each vertex [778]: not quite zero, for rings are inflated; posing and shaping keep it."""
    values = np.zeros(len(mesh.vertices))
    for owner in np.unique(mesh.owners):
        mine = mesh.owners == owner
        values[mine] = surface.value(mesh.vertices[mine], int(owner))
    return values


def _stretches(mean: Skeleton, other: Skeleton, build: Build) -> Array:
    """The linear map [16, 3, 3] that each bone's surroundings undergo from the mean hand to another build."""
    maps = np.zeros((16, 3, 3))
    maps[0] = np.diag(np.array([build.palm_length, build.palm_depth, build.palm_breadth]) * build.size)
    for number, digit in enumerate(DIGITS):
        chain = digit_joints(digit)
        for bone, joint in enumerate(chain):
            ends = [s.joints[chain[bone + 1]] if bone < 2 else s.tips[number] for s in (mean, other)]
            lengths = [np.linalg.norm(e - s.joints[joint]) for e, s in zip(ends, (mean, other), strict=True)]
            across = np.array([build.finger_breadth, build.finger_depth]) * build.size
            scale = np.diag([lengths[1] / lengths[0], *across])
            maps[joint] = mean.axes[joint].T @ scale @ mean.axes[joint]
    return maps


def reshape(mesh: HandMesh, weights: Array, level: Array, build: Build) -> Array:
    """The mesh's vertices [778, 3] on another build: stretched with the bones, then put onto its surface."""
    mean, other = make_skeleton(), make_skeleton(build)
    maps = _stretches(mean, other, build)
    away = mesh.vertices[:, None] - mean.joints[None]
    moved = np.einsum("vj,jab,vjb->va", weights, maps, away) + weights @ other.joints
    surface = make_surface(build)
    for owner in np.unique(mesh.owners):
        mine = mesh.owners == owner
        moved[mine] = surface.project(moved[mine], int(owner), level=level[mine] * build.size)
    return np.asarray(np.round(moved, 6))


def shape_space(mesh: HandMesh, weights: Array, level: Array) -> ShapeSpace:
    """The ten strongest directions of hands whose factors vary independently by one standard deviation."""
    vertices, joints = [], []
    for name, spread in SPREAD.items():
        builds = [Build(**{name: 1.0 + sign * spread}) for sign in (1.0, -1.0)]
        plus, minus = (reshape(mesh, weights, level, build) for build in builds)
        vertices.append(0.5 * (plus - minus))
        more, less = (make_skeleton(build).joints for build in builds)
        joints.append(0.5 * (more - less))
    differences = np.array(vertices).reshape(len(SPREAD), -1)
    left, _, right = np.linalg.svd(differences, full_matrices=False)
    signs = np.sign(right[np.arange(len(right)), np.argmax(np.round(np.abs(right), 8), axis=1)])
    mix = (left * signs).T[:SHAPES]
    return ShapeSpace(
        np.einsum("kp,pvi->kvi", mix, np.array(vertices)), np.einsum("kp,pji->kji", mix, np.array(joints))
    )


def joint_regressor(mesh: HandMesh, skeleton: Skeleton, space: ShapeSpace) -> Array:
    """Non-negative weights [16, 778], rows summing to one, that find each joint among the vertices near it.

    Solved so that they also follow the joint through every shape direction.
    """
    regressor = np.zeros((16, len(mesh.vertices)))
    for joint in range(16):
        place = skeleton.joints[joint]
        near = np.argsort(np.round(np.linalg.norm(mesh.vertices - place, axis=1), 5), kind="stable")[:140]
        rows = [np.full((1, len(near)), 100.0), mesh.vertices[near].T - place[:, None]]
        wanted = [np.array([100.0]), np.zeros(3)]
        for direction, motion in zip(space.vertices, space.joints[:, joint], strict=True):
            rows.append(direction[near].T)
            wanted.append(motion)
        solution, _ = nnls(np.concatenate(rows), np.concatenate(wanted), maxiter=20000)
        regressor[joint, near] = solution / solution.sum()
    return regressor
