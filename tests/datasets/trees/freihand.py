"""A miniature of FreiHAND, version 2, as it lies on the disk."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.datasets.trees.shots import Shot


def freihand_labels(shots: Sequence[Shot]) -> dict[str, NDArray[np.float64]]:
    """The numbers of a split's JSON files, by the files' names; the pose and the shape are of nobody."""
    root = np.array([shot.joints[9] for shot in shots])
    bone = np.array([shot.joints[10] for shot in shots]) - root
    mano = np.linspace(0, 1, len(shots) * 61).reshape(-1, 1, 61)
    return {
        "K": np.array([shot.K for shot in shots]),
        "xyz": np.array([shot.joints for shot in shots]),
        "verts": np.array([shot.vertices for shot in shots]),
        "mano": mano,
        "scale": np.linalg.norm(bone, axis=-1),
    }


def write_freihand(root: Path, training: Sequence[Shot], evaluation: Sequence[Shot], versions: int = 4) -> Path:
    """Write both splits with all their labels; the versions differ in their brightness."""
    for split, shots in (("training", training), ("evaluation", evaluation)):
        for version in range(versions if split == "training" else 1):
            for number, shot in enumerate(shots):
                _write(root / split / "rgb" / f"{number + len(shots) * version:08d}.jpg", shot.image >> version)
        for name, values in freihand_labels(shots).items():
            (root / f"{split}_{name}.json").write_text(json.dumps(values.tolist()))
    for number, shot in enumerate(training):
        _write(root / "training" / "mask" / f"{number:08d}.jpg", np.full_like(shot.image, 255))
    return root


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1])[1].tobytes())
