"""The pose space: components and mean of thousands of gestures that pass through nothing."""

from dataclasses import dataclass

import numpy as np

from s2hand.train.openhand.collisions import ALLOWED, penetration
from s2hand.train.openhand.gestures import joint_pose, sample_fingers, sample_thumbs
from s2hand.train.openhand.skeleton import Array

COUNT = 4000
_DRAWN = 9000
_SEED = 7
_PLAY = np.deg2rad(1.2)  # play of the joints about axes that muscles don't move: keeps the rank at 45


@dataclass(frozen=True)
class PoseSpace:
    """Mean [45], orthonormal components [45, 45] (rows, strongest first), their standard deviations [45]; radians."""

    mean: Array
    components: Array
    spread: Array


def sample_poses() -> Array:
    """`COUNT` axis-angle poses [COUNT, 45], each gesture drawn finger by finger, those that collide rejected."""
    rng = np.random.default_rng(_SEED)
    fingers = [sample_fingers(rng) for _ in range(_DRAWN)]
    thumb, thumb_splay, opposition = sample_thumbs(rng, _DRAWN)
    flexion = np.concatenate([thumb[:, None], np.array([f for f, _ in fingers])], axis=1)
    splay = np.concatenate([thumb_splay[:, None], np.array([s for _, s in fingers])], axis=1)
    twist = rng.normal(0.0, np.deg2rad(2.0), (_DRAWN, 5))
    poses = joint_pose(flexion, splay, opposition, twist) + rng.normal(0.0, _PLAY, (_DRAWN, 45))
    free = np.concatenate([penetration(part) <= ALLOWED for part in np.array_split(poses, 18)])
    if free.sum() < COUNT:
        raise RuntimeError(f"only {free.sum()} of {_DRAWN} random poses are free of collisions, {COUNT} are needed")
    return np.asarray(poses[free][:COUNT])


def pose_space(samples: Array) -> PoseSpace:
    """Principal components of poses [N, 45]."""
    mean = np.round(samples.mean(axis=0), 7)
    centred = samples - mean
    values, vectors = np.linalg.eigh(np.round(centred.T @ centred / len(samples), 9))
    components = vectors[:, ::-1].T
    largest = np.argmax(np.round(np.abs(components), 6), axis=1)
    components = components * np.sign(components[np.arange(45), largest])[:, None]
    return PoseSpace(mean, components, np.sqrt(np.maximum(values[::-1], 0.0)))
