"""Machine and project: what is too little, what is not there, what is only optional."""

import shutil
import subprocess
from collections import namedtuple
from types import SimpleNamespace

import psutil
import pytest
import torch

from s2hand.pipeline.doctor import machine, project
from s2hand.pipeline.doctor.examine import defaults, wanting
from s2hand.pipeline.doctor.finding import MissingError, look
from s2hand.pipeline.doctor.needs import disk_bytes, images_of

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "driver_version", lambda: None)


@pytest.fixture
def a_gpu(monkeypatch):
    card = SimpleNamespace(name="NVIDIA Example", total_memory=80e9, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
    monkeypatch.setattr(machine, "driver_version", lambda: "600.1")


def test_nothing_is_wanting_in_a_complete_place(place, no_gpu):
    found = place.rows()
    assert wanting(list(found.values())) == []
    assert found["parameters"].state == "ok"
    assert found["torch"].found.startswith(f"{torch.__version__}, ")


def test_no_gpu_is_no_fault_unless_the_parameters_ask_for_one(place, no_gpu):
    assert place.rows()["GPU"].state == "optional"
    place.set(train__device="cuda")
    assert wanting(list(place.rows().values())) == ["GPU"]
    place.set(train__device="cpu", detect__device="cuda:1")
    assert wanting(list(place.rows().values())) == ["GPU"]


def test_a_driver_that_torch_can_not_use_is_named(place, no_gpu, monkeypatch):
    monkeypatch.setattr(machine, "driver_version", lambda: "400.1")
    assert place.rows()["GPU"].found == "none that torch can use, though there is a driver, 400.1"


def test_a_gpu_is_described_and_needs_triton(place, a_gpu, monkeypatch):
    found = place.rows()["GPU"]
    one = "NVIDIA Example, 80 GB, compute capability 9.0"
    assert (found.state, found.found) == ("ok", f"{one}; {one}; driver 600.1")

    def version(name):
        if name == "triton":
            raise ModuleNotFoundError("No package metadata was found for triton")
        return "1"

    monkeypatch.setattr(machine, "version", version)
    assert place.rows()["Triton"].state == "missing"
    place.set(train__device="cpu")
    assert place.rows()["Triton"].state == "optional"


def test_the_driver_is_what_its_tool_says(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert machine.driver_version() is None
    monkeypatch.setattr(shutil, "which", lambda name: name)
    done = subprocess.CompletedProcess((), 0, stdout="600.1\n600.1\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    assert machine.driver_version() == "600.1"

    def fail(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 5)

    monkeypatch.setattr(subprocess, "run", fail)
    assert machine.driver_version() is None


def test_a_full_disk_is_missing_and_says_how_much_is_wanted(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100e9, 99.5e9, 0.5e9))
    found = place.rows()["disk"]
    assert found.state == "missing"
    assert found.found == "0.5 GB free; a run writes about 1.0 GB for 9,500 images"


def test_little_memory_is_missing(place, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e9, total=4e9))
    found = place.rows()["memory"]
    assert (found.state, found.found.split(" free")[0]) == ("missing", "1.0 of 4.0 GB")


def test_a_run_is_estimated_by_its_crops():
    params = defaults()
    made = params.data.synthetic
    assert images_of(params) == made.train * made.versions + made.evaluation
    large = params.model_copy(update={"pack": params.pack.model_copy(update={"image_size": 448})})
    crops = 2 * 1000 * 3 * (448**2 - 224**2)
    assert disk_bytes(large, 1000) - disk_bytes(params, 1000) == crops
    assert disk_bytes(params, 2000) > disk_bytes(params, 1000) > disk_bytes(params, 0) > 0


def test_git_and_dvc_are_needed_where_dvc_runs_the_stages(place):
    found = place.rows()
    assert (found["git"].state, found["DVC"].state) == ("optional", "optional")
    (place.folder / "dvc.yaml").write_text("stages: {}")
    found = place.rows()
    assert (found["git"].state, found["DVC"].state) == ("missing", "missing")
    assert "but this folder is no repository" in found["git"].found
    subprocess.run(["git", "init", "-q", "-b", "trunk"], check=True)
    (place.folder / ".dvc").mkdir()
    found = place.rows()
    assert (found["git"].state, found["DVC"].state) == ("ok", "ok")
    assert found["git"].found.endswith(", branch trunk")


def test_a_remote_is_named(place):
    (place.folder / ".dvc").mkdir()
    assert place.rows()["DVC remote"].state == "optional"
    config = "[core]\n    remote = store\n['remote \"store\"']\n    url = /somewhere%20else\n"
    (place.folder / ".dvc" / "config").write_text(config)
    assert place.rows()["DVC remote"].found == "store; default: store"
    (place.folder / ".dvc" / "config").write_text("nonsense")
    assert place.rows()["DVC remote"].state == "optional"


def test_without_git_there_is_a_row(place, monkeypatch):
    (place.folder / "dvc.yaml").write_text("stages: {}")
    monkeypatch.setattr(project.shutil, "which", lambda name: None)
    assert place.rows()["git"].found == "not on the PATH"


@pytest.mark.parametrize(
    ("error", "needed", "state"),
    [
        (MissingError("gone"), True, "missing"),
        (FileNotFoundError("gone"), True, "missing"),
        (ImportError("gone"), True, "missing"),
        (RuntimeError("odd\nand more"), True, "broken"),
        (KeyError(), True, "broken"),
        (RuntimeError("odd"), False, "optional"),
    ],
)
def test_whatever_a_look_trips_over_is_a_row(error, needed, state):
    def trip():
        raise error

    found = look("name", "use", "do", trip, needed)
    assert (found.name, found.state, found.used_for, found.what_to_do) == ("name", state, "use", "do")
    assert "\n" not in found.found
    assert found.found
