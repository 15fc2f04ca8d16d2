"""Trainings side by side: errors that travel, Ctrl-C, and the end of the process that started them."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from s2hand.pipeline.experiments.data import make_packs
from s2hand.pipeline.experiments.jobs import run_jobs
from s2hand.pipeline.experiments.runs import chain
from s2hand.pipeline.experiments.variants import Keypoints
from s2hand.pipeline.params import Params


def test_what_a_training_refuses_ends_the_jobs_with_its_title(tiny: Path, params: Params) -> None:
    packs = make_packs(params, tiny / "work")
    pack = packs.train[Keypoints.detected]
    links = chain(params.train, pack, params.hand_model, tiny / "refused", "a title")
    too_many = dataclasses.replace(links[0], settings=links[0].settings.model_copy(update={"batch_size": 64}))
    with pytest.raises(ValueError, match=r"a title, stage shape: .*train.batch_size = 64 samples, found 8"):
        run_jobs("refused", [too_many, links[1]], 2)
    assert not links[1].folder.exists()


@pytest.fixture
def long(tiny: Path, params: Params, tmp_path: Path, write_params: Callable[..., Path]) -> Iterator[psutil.Popen]:
    """An experiment in a process group of its own, two of whose trainings, which would take hours, are under way."""
    make_packs(params, tiny / "work")
    for made in (tiny / "work").glob("data-*"):
        shutil.copytree(made, tmp_path / "work" / made.name)
    write_params(tmp_path / "long.yaml", train__stages__shape__epochs=100000)
    command = ("experiments", "ablation", "--params", "long.yaml", "--work", "work", "--seeds", "1", "--jobs", "2")
    with (tmp_path / "log").open("w") as log:
        running = psutil.Popen(
            [sys.executable, "-m", "s2hand.pipeline", *command],
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        children: list[psutil.Process] = []
        try:
            deadline = time.monotonic() + 180
            while len(list(tmp_path.glob("work/runs/*/state.pt"))) < 2:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                assert running.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.2)
            children = running.children(recursive=True)
            yield running
        finally:
            for process in (running, *children):
                if process.is_running():
                    process.kill()
            running.wait()


def test_ctrl_c_saves_every_training_where_it_is(long: psutil.Popen, tmp_path: Path) -> None:
    workers = long.children(recursive=True)
    os.killpg(long.pid, signal.SIGINT)  # as a terminal does
    assert long.wait(60) == 130
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    said = (tmp_path / "log").read_text()
    assert said.count("interrupted: run the same command again to go on") == 1
    assert "Traceback" not in said
    states = [torch.load(path, weights_only=True) for path in tmp_path.glob("work/runs/*/state.pt")]
    assert [state["position"]["stage"] for state in states] == [0, 0]
    assert all(state["position"]["epoch"] + state["position"]["step"] > 0 for state in states)


def test_trainings_end_with_the_process_that_started_them(long: psutil.Popen) -> None:
    workers = long.children(recursive=True)
    assert len(workers) >= 2
    long.kill()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
