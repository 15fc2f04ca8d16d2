"""A temporary git repository that holds the pipeline with parameters small enough for a test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
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
            "OMP_NUM_THREADS": "1",
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
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", message)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
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
    made.run("dvc", "init", "-q")
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    shutil.copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
    made.set(**TINY)
    made.commit("start")
    return made
