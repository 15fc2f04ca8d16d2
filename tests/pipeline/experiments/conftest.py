"""Experiments small enough for a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2hand.pipeline.params import Params, load_params

ROOT = Path(__file__).parents[3]
PRESET = ROOT / "presets/experiments.yaml"
TINY: dict[str, Any] = {
    "hand_model": str(ROOT / "train/assets/open_hand.npz"),
    "data.input": str(ROOT / "train/assets/open_hand.npz"),
    "data.synthetic.train": 8,
    "data.synthetic.evaluation": 3,
    "data.synthetic.versions": 1,
    "data.synthetic.image_size": 64,
    "data.synthetic.workers": 1,
    "detect.weights": str(ROOT / "detect/assets/slim.safetensors"),
    "pack.image_size": 32,
    "pack.min_confidence": 0.0,
    "train.stages.shape.epochs": 1,
    "train.stages.keypoints.epochs": 1,
    "train.stages.joint.epochs": 1,
    "train.batch_size": 4,
    "train.processes": 1,
    "train.device": "cpu",
    "train.hourglass.stacks": 1,
    "train.hourglass.features": 16,
    "train.hourglass.depth": 2,
    "train.hourglass.image_size": 32,
    "evaluate.device": "cpu",
}


Write = Callable[..., Path]


def _write(path: Path, **changes: Any) -> Path:
    values = yaml.safe_load(PRESET.read_text())
    for dotted, value in (TINY | {key.replace("__", "."): value for key, value in changes.items()}).items():
        *sections, key = dotted.split(".")
        target = values
        for section in sections:
            target = target[section]
        target[key] = value
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="session")
def write_params() -> Write:
    """A function (path, key=value, ...) that writes the preset with tiny sizes and changes; __ stands for the dot."""
    return _write


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.yaml, in which the tests share data and trainings."""
    folder = tmp_path_factory.mktemp("experiments")
    _write(folder / "tiny.yaml")
    return folder


@pytest.fixture(scope="session")
def params(tiny: Path) -> Params:
    return load_params(tiny / "tiny.yaml")
