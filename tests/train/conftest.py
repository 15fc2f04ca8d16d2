"""Hand models that tests share."""

import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from s2hand.datasets.cameras import Box, project
from s2hand.datasets.packs import Sample, write_pack
from s2hand.train.hand_files import HandArrays
from s2hand.train.mano import load_hand_model

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def mano_pickle(tmp_path_factory):
    """A file with the layout of the licensed MANO_RIGHT.pkl and random content."""
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl"
    path.write_bytes(gzip.decompress((REFERENCE / "mano_layout.pkl.gz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def random_hand_arrays():
    """A function (seed, side) that returns a hand model of MANO's sizes with nothing hand-like about it."""
    return random_arrays


def random_arrays(seed=0, side="right"):
    """A hand model of MANO's sizes with nothing hand-like about it."""
    rng = np.random.default_rng(seed)
    weights = rng.random((778, 16)) ** 8
    regressor = rng.random((16, 778)) ** 40
    return HandArrays(
        v_template=0.1 * rng.standard_normal((778, 3)),
        faces=rng.integers(0, 778, (1538, 3)),
        weights=weights / weights.sum(1, keepdims=True),
        shapedirs=0.01 * rng.standard_normal((778, 3, 10)),
        posedirs=0.001 * rng.standard_normal((778, 3, 135)),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        hands_components=np.linalg.qr(rng.standard_normal((45, 45)))[0],
        hands_mean=0.3 * rng.standard_normal(45),
        parents=np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]),
        side=side,
    )


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory):
    """The path of a pack of eight crops of 64 px: noise, and hands at random places."""
    return _write_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny.h5")


@pytest.fixture(scope="session")
def broken_pack(tmp_path_factory):
    """The same with a row, of the image broken.jpg, whose keypoints are too large to compute with."""
    return _write_tiny_pack(tmp_path_factory.mktemp("packs") / "broken.h5", broken=True)


def _write_tiny_pack(path, broken=False):
    rng = np.random.default_rng(0)
    K = np.array([[130.0, 0, 32], [0, 130.0, 32], [0, 0, 1]])
    rows = []
    for number, xy in enumerate(_random_hands(8, K)):
        keypoints = np.concatenate([xy, rng.uniform(0.5, 1, (21, 1))], axis=1).astype(np.float32)
        keypoints[number] = np.nan, np.nan, 0
        name = f"{number}.jpg"
        if broken and number == 3:
            keypoints[20, :2], name = 3e38, "broken.jpg"
        image = cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (64, 64))
        box = Box(0, 0, 224, 224)
        rows.append(Sample(name=name, image=image, K=K, keypoints=keypoints, mirrored=False, box=box))
    write_pack(path, rows, sources={"drawn": "by the tests"}, parameters={"crop": "square"})
    return path


def _random_hands(count, K):
    """Joints [count, 21, 2] in pixels of open hands, turned at random, half a metre before the camera."""
    random = torch.Generator().manual_seed(0)
    pose = 0.3 * torch.randn(count, 30, generator=random)
    joints = load_hand_model()(pose, rotation=torch.randn(count, 3, generator=random)).joints
    centred = joints - joints.mean(1, keepdim=True) + torch.tensor([0, 0, 0.5])
    return project(centred.numpy(), K)
