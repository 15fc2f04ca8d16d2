"""`s2hand train`: a training from the command line, alone and in processes, and the step that broke one."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from s2hand.datasets.cameras import Box
from s2hand.datasets.packs import Sample, write_pack

TINY = {
    "train__batch_size": 4,
    "train__hourglass": {"stacks": 1, "features": 16, "depth": 2, "image_size": 32},
    "train__sheet_epochs": 0,
    "train__held_back": 0.0,
    "train__device": "cpu",
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    K = np.array([[130.0, 0, 32], [0, 130.0, 32], [0, 0, 1]])
    samples = [
        Sample(
            name=f"{number}.jpg",
            image=random.integers(0, 256, (64, 64, 3), np.uint8),
            K=K,
            keypoints=np.concatenate([random.uniform(10, 50, (21, 2)), np.ones((21, 1))], axis=1).astype(np.float32),
            mirrored=False,
            box=Box(0, 0, 64, 64),
        )
        for number in range(8)
    ]
    write_pack(tmp_path / "train.h5", samples, sources={"noise": "0"}, parameters={})
    return tmp_path / "train.h5"


def test_a_training_from_the_command_line_and_its_rerun(project: Any, pack: Path) -> None:
    project.set(**TINY)
    command = ("s2hand", "train", "run", "--data", str(pack), "--out", "model")
    first = project.run(*command)
    assert re.search(r"^weights    model/weights.safetensors$", first.stdout, re.MULTILINE)
    assert "train: joint, epoch 1 of 1" in first.stderr
    assert "8 crops of 64 px, 0.00 GB: held in the memory of cpu" in first.stderr
    made = load_file(project.folder / "model/weights.safetensors")
    again = project.run(*command, "--json", "--quiet")
    assert again.stderr == ""
    summary = json.loads(again.stdout)
    assert (summary["weights"], summary["epochs"]) == ("model/weights.safetensors", 3)
    found = load_file(project.folder / "model/weights.safetensors")
    assert all(torch.equal(found[name], made[name]) for name in made)


def test_two_processes_from_the_command_line(project: Any, pack: Path) -> None:
    project.set(**TINY, train__processes=2)
    done = project.run("s2hand", "train", "run", "--data", str(pack), "--out", "model")
    assert done.stderr.count("train: joint, epoch 1 of 1") == done.stdout.count("last loss") == 1
    assert (project.folder / "model/weights.safetensors").is_file()


def test_what_all_processes_find_wrong_is_said_once(project: Any, pack: Path) -> None:
    project.set(**{**TINY, "train__batch_size": 64}, train__processes=2)
    done = project.run("s2hand", "train", "run", "--data", str(pack), "--out", "model", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    *log, line = done.stderr.splitlines()
    assert log == ["8 crops of 64 px, 0.00 GB: held in the memory of cpu"]
    assert "expected at least train.batch_size = 64 samples, found 8" in line
    assert "add images or lower train.batch_size (for small collections: see presets/folder.yaml)" in line


def test_ctrl_c_saves_what_two_processes_have_and_ends_in_one_line(project: Any, pack: Path) -> None:
    project.set(**TINY, train__processes=2, train__stages__shape__epochs=5000)
    command = ("s2hand", "train", "run", "--data", str(pack), "--out", "model")
    with (project.folder / "log").open("w") as log:
        running = start(project, command, log)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        assert running.wait(60) == 130
    said = (project.folder / "log").read_text()
    assert said.count("interrupted: run the same command again to go on") == 1
    assert "Traceback" not in said
    assert not re.search(r"^[WEI]\d{4} ", said, re.MULTILINE), "the launcher's own warnings"
    state = torch.load(project.folder / "model/state.pt", weights_only=True)["position"]
    with (project.folder / "log").open("w") as log:
        running = start(project, command, log, until="going on at stage shape")
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    place = f"epoch {state['epoch'] + 1}, step {state['step'] + 1}"
    assert f"going on at stage shape, {place}\n" in (project.folder / "log").read_text()


def test_processes_whose_launcher_was_killed_end_too(project: Any, pack: Path) -> None:
    project.set(**TINY, train__processes=2, train__stages__shape__epochs=5000)
    with (project.folder / "log").open("w") as log:
        command = ("s2hand", "train", "run", "--data", str(pack), "--out", "model")
        running = start(project, command, log)
        workers = psutil.Process(running.pid).children(recursive=True)
        assert len(workers) >= 2
        running.kill()
        running.wait()
        _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    assert "interrupted" in (project.folder / "log").read_text()


def start(project: Any, command: tuple[str, ...], log: IO[str], until: str | None = None) -> Any:
    """Start a training and return its process when it has written its state, or said something."""
    running = project.start(*command, stderr=log, stdout=log)
    deadline = time.monotonic() + 120
    while until not in Path(log.name).read_text() if until else not (project.folder / "model/state.pt").is_file():
        if time.monotonic() > deadline or running.poll() is not None:
            running.kill()
            pytest.fail(Path(log.name).read_text())
        time.sleep(0.1)
    return running


def test_a_crash_that_is_none_is_refused_in_one_line(project: Any) -> None:
    (project.folder / "nonfinite.pt").write_bytes(b"nonsense")
    done = project.run("s2hand", "train", "reproduce", "nonfinite.pt", check=False)
    assert done.returncode == 1
    assert "not a step that training has kept" in done.stderr
    assert "Traceback" not in done.stderr
