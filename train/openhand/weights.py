"""Skinning weights: how much of each joint moves each vertex; smooth, and summing to one."""

import numpy as np

from s2hand.train.openhand.implicit import PALM
from s2hand.train.openhand.mesh import HandMesh
from s2hand.train.openhand.skeleton import DIGITS, Array, Skeleton, digit_joints

_HINGE = 5.0  # half-width in millimetres of the change at a finger's middle and last joints
_KNUCKLE = (12.0, 9.0)  # the same at the knuckles, behind and beyond


def smooth_step(value: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    clipped = np.clip(value, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped))


def _along(vertices: Array, skeleton: Skeleton, joint: int, previous: Array) -> Array:
    """Signed distance from a joint's bisector plane, positive beyond the joint."""
    normal = skeleton.axes[joint, 0] + previous
    return np.asarray((vertices - skeleton.joints[joint]) @ (normal / np.linalg.norm(normal)))


def _nearest_finger(vertices: Array, skeleton: Skeleton) -> Array:
    """Softly, which of the four fingers a vertex of the palm belongs to, [V, 4], by distance to the first bones."""
    distances = []
    for digit in DIGITS[1:]:
        first, second, _ = digit_joints(digit)
        bone = skeleton.axes[first, 0]
        away = vertices - skeleton.joints[first]
        along = np.clip(away @ bone, -30.0, float(np.linalg.norm(skeleton.joints[second] - skeleton.joints[first])))
        distances.append(np.linalg.norm(away - along[:, None] * bone, axis=1))
    score = -np.array(distances).T / 3.5
    weights = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _thumb_base(vertices: Array, skeleton: Skeleton) -> Array:
    """How much the thumb's metacarpal carries a vertex: by its distance to that bone and to the index's."""
    start, end = skeleton.joints[13], skeleton.joints[14]
    index = skeleton.joints[1]
    distances = []
    for origin, target in ((start, end), (0.12 * index, index)):
        line = target - origin
        share = np.clip((vertices - origin) @ line / (line @ line), 0.0, 1.0)
        distances.append(np.linalg.norm(vertices - origin - share[:, None] * line, axis=1))
    mine, other = distances
    along = (vertices - start) @ skeleton.axes[13, 0]
    return smooth_step((other - mine) / 36.0 + 0.45) * smooth_step((along + 20.0) / 44.0)


def _diffuse(weights: Array, mesh: HandMesh, rounds: int) -> Array:
    """Averages the weights of the palm with their neighbours'."""
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    adjacency = np.zeros((len(weights), len(weights)))
    adjacency[edges[:, 0], edges[:, 1]] = adjacency[edges[:, 1], edges[:, 0]] = 1.0
    adjacency /= adjacency.sum(axis=1, keepdims=True)
    strength = np.where(mesh.owners == PALM, 0.5, 0.06)[:, None]
    for _ in range(rounds):
        weights = (1.0 - strength) * weights + strength * (adjacency @ weights)
    return weights


def skin_weights(mesh: HandMesh, skeleton: Skeleton) -> Array:
    """Weights [778, 16], non-negative, rows summing to one."""
    vertices = mesh.vertices
    weights = np.zeros((len(vertices), 16))
    fingers = _nearest_finger(vertices, skeleton)
    for number, digit in enumerate(DIGITS):
        first, second, third = digit_joints(digit)
        if digit == "thumb":
            share = np.where(mesh.owners == 0, 1.0, _thumb_base(vertices, skeleton) * (mesh.owners == PALM))
        else:
            place = _along(vertices, skeleton, first, skeleton.axes[0, 0])
            share = smooth_step((place + _KNUCKLE[0]) / sum(_KNUCKLE)) * fingers[:, number - 1]
            share = np.where(mesh.owners == number, 1.0, share * (mesh.owners == PALM))
        weights[:, first] = share
        for joint, parent in ((second, first), (third, second)):
            place = _along(vertices, skeleton, joint, skeleton.axes[parent, 0])
            beyond = smooth_step((place + _HINGE) / (2.0 * _HINGE)) * (mesh.owners == number)
            weights[:, joint] = beyond * weights[:, parent]
            weights[:, parent] -= weights[:, joint]
    weights[:, 0] = np.maximum(1.0 - weights.sum(axis=1), 0.0)
    weights = _diffuse(weights / weights.sum(axis=1, keepdims=True), mesh, 4)
    weights[weights < 2e-3] = 0.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
