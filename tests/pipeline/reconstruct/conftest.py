"""An untrained network, and photographs of the open hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2hand.train.mano import load_hand_model
from s2hand.train.render import render

SIDE = 96  # of a photograph
NAMES = ("a.png", "b.png", "c.png", "d.png", "more/e.png")


@pytest.fixture(scope="package")
def checkpoint(make_checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="package", name="K")
def intrinsics() -> NDArray[np.float64]:
    """The camera of the photographs."""
    return np.array([[140.0, 0, SIDE / 2], [0, 140.0, SIDE / 2], [0, 0, 1]])


@pytest.fixture(scope="package")
def pictures(K: NDArray[np.float64]) -> list[NDArray[np.uint8]]:
    """Five right hands, each turned another way, before a gradient."""
    hand = load_hand_model()
    turns = torch.tensor([[0.1, 0.2, 1.5], [0.3, -0.2, 1.4], [0, 0.4, 1.7], [0.2, 0, 1.2], [-0.2, 0.1, 1.9]])
    mesh = hand(torch.zeros(5, 30), rotation=turns)
    middle = mesh.vertices.mean(1, keepdim=True)
    vertices = mesh.vertices - middle + torch.tensor([0, 0, 0.36])
    skin = torch.tensor([0.8, 0.6, 0.5]).expand(5, 778, 3)
    lights = torch.tensor([[0.6, 0.5, 1, 1, 1, 1, 1, 1, 0.3, 0, 1]]).expand(5, 11)
    ramp = torch.linspace(0.1, 0.4, SIDE).expand(1, 3, SIDE, SIDE)
    camera = torch.from_numpy(K).float().expand(5, 3, 3)
    images = render(vertices, hand.faces, skin, camera, lights, (SIDE, SIDE), background=ramp).rgb
    return list((images.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous().numpy())


@pytest.fixture
def photographs(pictures: list[NDArray[np.uint8]], tmp_path: Path) -> Path:
    """A folder of PNG files, one of them below a folder."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for name, picture in zip(NAMES, pictures, strict=True):
        cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return folder
