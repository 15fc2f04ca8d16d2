"""Hands with known official numbers, and small trees of the data sets around them."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.ho3d import to_ho3d_joints, to_ho3d_points
from s2hand.pipeline.official.metrics import HandSet

REFERENCE = Path(__file__).parents[2] / "train" / "reference"
COUNT = 8  # hands of a tree: one of each kind of the reference
K = [[500.0, 0.0, 16.0], [0.0, 500.0, 16.0], [0.0, 0.0, 1.0]]


@dataclass(frozen=True)
class Reference:
    """The 64 predictions, the true hands, and what the official scripts said (see tests/train/test_metrics.py)."""

    predicted: HandSet
    true: HandSet
    scores: dict[str, str]  # of FreiHAND's scores.txt
    scale_translation: dict[str, Any]


@pytest.fixture(scope="session")
def reference() -> Reference:
    numbers = np.load(REFERENCE / "freihand_metrics.npz")
    true, predicted = {}, {}
    for points in ("joints", "vertices"):
        true[points] = numbers[f"true_{points}"] / 2**16
        predicted[points] = (numbers[f"true_{points}"] + numbers[f"pred_minus_true_{points}"]) / 2**16
    return Reference(
        HandSet(**predicted),
        HandSet(**true),
        json.loads((REFERENCE / "freihand_metrics.json").read_text())["scores_txt"],
        json.loads((REFERENCE / "ho3d_scale_translation.json").read_text()),
    )


def some(hands: HandSet) -> HandSet:
    """The first hands, as many as a tree has images."""
    assert hands.vertices is not None
    return HandSet(hands.joints[:COUNT], hands.vertices[:COUNT])


@pytest.fixture
def freihand(tmp_path: Path, reference: Reference) -> Path:
    """FreiHAND's evaluation split of `COUNT` images."""
    root, true = tmp_path / "freihand", some(reference.true)
    for number in range(COUNT):
        write_image(root / f"evaluation/rgb/{number:08d}.jpg")
    write_image(root / "training/rgb/00000000.jpg")
    write_lists(root, training_K=[K], evaluation_K=[K] * COUNT, evaluation_xyz=true.joints)
    write_lists(root, evaluation_verts=true.vertices)
    return root


@pytest.fixture
def ho3d(tmp_path: Path, reference: Reference) -> Path:
    """HO-3D's evaluation split, version 2, of `COUNT` images in two sequences, not in the order of their names."""
    root, true = tmp_path / "ho3d", some(reference.true)
    joints, vertices = to_ho3d_joints(true.joints), to_ho3d_points(true.vertices)  # type: ignore[arg-type]
    frames = [f"{'SM1' if number % 2 else 'AP10'}/{COUNT - number:04d}" for number in range(COUNT)]
    for frame, hand in zip(frames, joints, strict=True):
        sequence, name = frame.split("/")
        write_image(root / f"evaluation/{sequence}/rgb/{name}.png")
        meta = {"camMat": np.array(K), "handJoints3D": hand[0], "handBoundingBox": [2, 2, 30, 30]}
        (root / f"evaluation/{sequence}/meta").mkdir(exist_ok=True)
        (root / f"evaluation/{sequence}/meta/{name}.pkl").write_bytes(pickle.dumps(meta, 2))
    (root / "evaluation.txt").write_text("\n".join(frames) + "\n")
    write_lists(root, evaluation_xyz=joints, evaluation_verts=vertices)
    return root


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((32, 32, 3), 90, np.uint8))


def write_lists(root: Path, **lists: NDArray[Any] | list[Any] | None) -> None:
    for name, values in lists.items():
        (root / f"{name}.json").write_text(json.dumps(np.asarray(values).tolist()))
