"""A temporary git repository that holds the pipeline with parameters small enough for a test."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from s2hand.train import load_hand_model
from s2hand.train.checkpoint import WEIGHTS, Identity, hand_digest, write_weights
from s2hand.train.model import HandNetwork
from s2hand.train.settings import EncoderSettings, TrainSettings

ROOT = Path(__file__).parents[2]
SIZE = 64  # pixels of a crop of the untrained network
COPIED = ("dvc.yaml", ".dvcignore", ".gitignore", "datasets", "detect", "train", "pipeline")
TINY: dict[str, Any] = {
    "data.synthetic.train": 12,
    "data.synthetic.evaluation": 6,
    "data.synthetic.image_size": 96,
    "pack.image_size": 64,
    "pack.min_confidence": 0.0,
    "train.stages.shape.epochs": 1,
    "train.stages.keypoints.epochs": 1,
    "train.stages.joint.epochs": 1,
    "train.batch_size": 16,
    "train.processes": 1,
    "train.sheet_epochs": 0,
    "train.hourglass": {"stacks": 1, "features": 16, "depth": 2, "image_size": 32},
}


class Project:
    """A copy of the pipeline in a git repository of its own, driven through its commands as a user would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def environment(self) -> dict[str, str]:
        bin_folder = str(Path(sys.executable).parent)
        return {
            **os.environ,
            "PATH": bin_folder + os.pathsep + os.environ["PATH"],
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, start_new_session=True, **options)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = self.environment
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600)
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def set(self, **changes: Any) -> None:
        """Change keys of params.yaml; a double underscore stands for the dot."""
        path = self.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        for dotted, value in changes.items():
            *sections, key = dotted.replace("__", ".").split(".")
            target = values
            for section in sections:
                target = target[section]
            target[key] = value
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


@dataclass(frozen=True)
class Branches:
    """A run on `main` and another on `longer`, which trains its joint stage twice as long; `longer` is checked out."""

    project: Project
    printed: str  # by the run on `longer`


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Branches:
    """Two tiny runs take half a minute: the tests of a file share them, in any order."""
    made = make_project(tmp_path_factory.mktemp("branches") / "project")
    made.run("dvc", "remote", "add", "--default", "storage", "../storage")
    made.run("dvc", "repro")
    made.commit("a run")
    made.run("git", "switch", "-qc", "longer")
    made.set(train__stages__joint__epochs=2)
    printed = made.run("dvc", "repro").stdout
    made.commit("twice as long")
    return Branches(made, printed)


def make_project(folder: Path) -> Project:
    """Copy the pipeline into a new git repository, with parameters small enough for a test."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    made = Project(folder)
    made.run("git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "t"), ("user.email", "t@example.org")):
        made.run("git", "config", key, value)
    made.run("dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    made.set(**TINY)
    made.commit("start")
    return made


@pytest.fixture(scope="session")
def make_checkpoint():
    """Write the weights of an untrained network into a folder; `samples` says how its crops were cut."""

    def make(folder: Path, seed: int = 0, **samples: object) -> Path:
        settings = TrainSettings(encoder=EncoderSettings(pretrained="never", points=True, grid=2))
        hand = load_hand_model()
        torch.manual_seed(seed)
        network = HandNetwork(settings.encoder, hand)
        with torch.no_grad():
            network.encoder.head.weight.mul_(3)  # so that photographs differ in what they give
        folder.mkdir(exist_ok=True)
        identity = Identity(settings, hand_digest(hand), "data", SIZE, "code", samples)
        write_weights(folder / WEIGHTS, network.state_dict(), identity)
        return folder

    return make
