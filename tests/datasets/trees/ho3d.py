"""A miniature of HO-3D, version 2 or 3, as it lies on the disk, in its own axes and joint order."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import project
from tests.datasets.trees.python2 import python2_pickle
from tests.datasets.trees.shots import Shot, some_shots

Meta = dict[str, Any]
Tree = Callable[..., Path]  # `write_ho3d` of the frames below, into a folder of the test's own

TRAIN = dict(zip(["ABF10/0000", "ABF10/0007", "BB11/0000", "ABF10/0003"], some_shots(4), strict=True))
EVALUATION = dict(zip(["SM1/0100", "AP10/0001", "SM1/0000"], some_shots(3, seed=1), strict=True))

# Written out here, so that a mistake in the project's tables is found: joint n of ours is joint ORDER[n] of HO-3D's.
ORDER = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
FLIP = np.diag([1.0, -1.0, -1.0])
DEPTH_SCALE = 0.00012498664727900177  # metres of one step of the depth images


def ho3d_joints(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Our joints [21, 3] in HO-3D's axes and order."""
    theirs = np.empty_like(joints)
    theirs[ORDER] = joints @ FLIP
    return theirs


def train_meta(shot: Shot) -> Meta:
    """What the training split says about a frame."""
    return {
        "camMat": shot.K,
        "handJoints3D": ho3d_joints(shot.joints),
        "handPose": np.linspace(-1, 1, 48),
        "handBeta": np.linspace(-1, 1, 10).astype(np.float32),
        "handTrans": ho3d_joints(shot.joints)[0],
        "objRot": np.zeros((3, 1)),
        "objTrans": np.array([0.0, 0.0, -0.5]),
        "objCorners3D": np.zeros((8, 3)),
        "objCorners3DRest": np.zeros((8, 3)),
        "objName": "021_bleach_cleanser",
        "objLabel": 12,
    }


def evaluation_meta(shot: Shot) -> Meta:
    """What the evaluation split says about a frame: of the hand, the wrist and a box."""
    corners = project(shot.vertices, shot.K)
    box = [int(value) for value in (*corners.min(0), *np.ceil(corners.max(0)))]
    kept = {key: value for key, value in train_meta(shot).items() if key.startswith(("cam", "obj"))}
    return {**kept, "handJoints3D": ho3d_joints(shot.joints)[0], "handBoundingBox": box}


def not_annotated(meta: Meta, *known: str) -> Meta:
    """Such a frame's fields: all are there, None but for the `known` ones."""
    return {key: value if key in known else None for key, value in meta.items()}


def write_ho3d(
    root: Path,
    train: Mapping[str, Shot],
    evaluation: Mapping[str, Shot],
    *,
    version: int = 2,
    truth: bool = False,
    dumps: Callable[[Meta], bytes] = python2_pickle,
) -> Path:
    """Write the frames SEQ/ID of both splits, their lists, and if wanted the truth of the evaluation split."""
    suffix = ".png" if version == 2 else ".jpg"
    for split, shots, meta in (("train", train, train_meta), ("evaluation", evaluation, evaluation_meta)):
        for frame, shot in shots.items():
            sequence, name = frame.split("/")
            folder = root / split / sequence
            _write(folder / "rgb" / f"{name}{suffix}", shot.image)
            _write(folder / "depth" / f"{name}.png", _depth(shot))
            write_meta(root, split, frame, dumps(meta(shot)))
        (root / f"{split}.txt").write_text("".join(f"{frame}\n" for frame in shots))
    if truth:
        joints = [ho3d_joints(shot.joints).tolist() for shot in evaluation.values()]
        vertices = [(shot.vertices @ FLIP).tolist() for shot in evaluation.values()]
        (root / "evaluation_xyz.json").write_text(json.dumps(joints))
        (root / "evaluation_verts.json").write_text(json.dumps(vertices))
    return root


def write_meta(root: Path, split: str, frame: str, data: bytes) -> Path:
    """Write the pickle of the frame SEQ/ID; `split` is train or evaluation."""
    sequence, name = frame.split("/")
    path = root / split / sequence / "meta" / f"{name}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _depth(shot: Shot) -> NDArray[np.uint8]:
    """A wall at the wrist's depth: red and green are the low and the high byte."""
    steps = round(float(shot.joints[0, 2]) / DEPTH_SCALE)
    return np.full_like(shot.image, (steps & 255, steps >> 8, 0))


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image[..., ::-1])[1].tobytes())
