"""Pose correctives: what skinning alone gets wrong when joints bend, learnt from the posed implicit surface."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.gestures import joint_pose
from s2hand.train.openhand.implicit import PALM, HandSurface
from s2hand.train.openhand.kinematics import joint_transforms, rotation_matrix, skin
from s2hand.train.openhand.mesh import HandMesh
from s2hand.train.openhand.skeleton import DIGITS, REST_FLEXION, Array, Skeleton, digit_joints

_LARGEST = 6.0  # millimetres that a corrective may move a vertex in one training pose
_RIDGE = 1e-2
_FULL = np.array([[20, 55, 75], [85, 105, 70], [88, 105, 70], [88, 105, 70], [90, 105, 70]], dtype=np.float64)


def training_poses() -> Array:
    """Axis-angle [N, 45]: every joint alone at several angles, all fingers together, one finger apart."""
    rest = np.array([REST_FLEXION[digit] for digit in DIGITS])
    flexions, splays, turns = [], [], []

    def add(flexion: Array, splay: Array | None = None, opposition: float = 0.0) -> None:
        flexions.append(flexion)
        splays.append(np.zeros(5) if splay is None else splay)
        turns.append(opposition)

    for share in (-0.12, 0.3, 0.6, 0.85, 1.0):
        for digit in range(5):
            for joint in range(3):
                flexion = rest.copy()
                flexion[digit, joint] += share * (_FULL[digit, joint] - rest[digit, joint])
                add(flexion)
    for share in (0.25, 0.5, 0.75, 1.0):
        for thumb in (0.0, 0.6):
            flexion = rest + share * (_FULL - rest)
            flexion[0] = rest[0] + thumb * share * (_FULL - rest)[0]
            add(flexion, opposition=50.0 * thumb)
            flexion = flexion.copy()
            flexion[1:, 1:] = rest[1:, 1:]
            add(flexion, opposition=30.0 * thumb)
    for splay in (-1.0, 1.0):
        add(rest, splay * np.array([10.0, 8.0, 0.0, -6.0, -12.0]))
    for opposition in (-8.0, 20.0, 40.0, 60.0, 72.0):
        add(rest, opposition=opposition)
        add(rest + np.array([[15.0, 20.0, 20.0]] + 4 * [[0.0, 0.0, 0.0]]), opposition=opposition)
    for finger in range(1, 5):
        for share in (0.5, 1.0):
            alone, others = rest.copy(), rest + share * (_FULL - rest)
            alone[finger] = others[finger]
            others[[0, finger]] = rest[[0, finger]]
            add(alone)
            add(others)
    return joint_pose(np.deg2rad(flexions), np.deg2rad(splays), np.deg2rad(turns))


def _keep_sides(points: Array, mesh: HandMesh, skeleton: Skeleton, rotations: Array, offsets: Array) -> Array:
    """Skin near a hinge kept on its own side of the plane that halves the bend: it folds, but never crosses."""
    points = points.copy()
    for number, digit in enumerate(DIGITS):
        chain = (0, *digit_joints(digit))
        for parent, joint in pairwise(chain):
            if joint == 13:
                continue
            behind, ahead = skeleton.axes[parent, 0], skeleton.axes[joint, 0]
            rest = (behind + ahead) / np.linalg.norm(behind + ahead)
            turned = rotations[parent] @ behind + rotations[joint] @ ahead
            turned = turned / np.linalg.norm(turned)
            place = rotations[joint] @ skeleton.joints[joint] + offsets[joint]
            away = mesh.vertices - skeleton.joints[joint]
            before = away @ rest
            wide = 20.0
            near = np.linalg.norm(away, axis=1) < wide
            near &= (mesh.owners == number) | ((mesh.owners == PALM) & (parent == 0))
            after = (points - place) @ turned
            least = np.minimum(0.12 * np.abs(before), 0.9)
            missing = np.where(before >= 0.0, np.maximum(least - after, 0.0), -np.maximum(least + after, 0.0))
            points += np.where(near, missing, 0.0)[:, None] * turned
    return points


def wanted_offsets(
    pose: Array, mesh: HandMesh, skeleton: Skeleton, surface: HandSurface, weights: Array, level: Array
) -> Array:
    """Offsets [778, 3] at rest that put the skinned mesh onto the posed surface, capped."""
    rotations, offsets = joint_transforms(pose, skeleton.joints)
    skinned = skin(mesh.vertices, weights, rotations, offsets)
    points = skinned
    for _ in range(2):
        points = _keep_sides(points, mesh, skeleton, rotations, offsets)
        for owner in range(6):
            mine = mesh.owners == owner
            points[mine] = surface.project(points[mine], owner, rotations, offsets, 2, level[mine])
    points = _keep_sides(points, mesh, skeleton, rotations, offsets)
    blended = np.einsum("vj,jab->vab", weights, rotations)
    back = np.linalg.solve(blended, (points - skinned)[..., None])[..., 0]
    length = np.linalg.norm(back, axis=1, keepdims=True)
    return np.asarray(back * np.minimum(1.0, _LARGEST / np.maximum(length, 1e-9)))


def pose_features(poses: Array) -> Array:
    """The 135 numbers per pose that correctives are linear in: R - I of the 15 joints."""
    turned = rotation_matrix(poses.reshape(-1, 15, 3))
    return np.asarray((turned - np.eye(3)).reshape(len(poses), 135))


def _masks(weights: Array) -> npt.NDArray[np.bool_]:
    """Which of the 15 joints may correct each vertex: those that carry a part of it."""
    return np.asarray(weights[:, 1:] > 0.02)


def pose_correctives(mesh: HandMesh, skeleton: Skeleton, surface: HandSurface, weights: Array, level: Array) -> Array:
    """Corrective directions [778, 3, 135] in millimetres, by local ridge regression."""
    poses = training_poses()
    wanted = np.array([wanted_offsets(p, mesh, skeleton, surface, weights, level) for p in poses])
    wanted = np.round(wanted, 6)
    features = pose_features(poses)
    masks = _masks(weights)
    directions = np.zeros((len(mesh.vertices), 3, 135))
    for mask in np.unique(masks, axis=0):
        columns = np.flatnonzero(np.repeat(mask, 9))
        rows = np.flatnonzero((masks == mask).all(axis=1))
        if len(columns):
            used = features[:, columns]
            gram = used.T @ used + _RIDGE * len(poses) / 100.0 * np.eye(len(columns))
            solved = np.linalg.solve(gram, used.T @ wanted[:, rows].reshape(len(poses), -1))
            directions[rows[:, None], :, columns] = np.moveaxis(solved.reshape(len(columns), len(rows), 3), 0, 1)
    return directions
