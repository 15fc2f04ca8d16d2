import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.loop import fit
from s2hand.detect.fit.settings import AugmentSettings, FitSettings

TINY = FitSettings(
    samples=160,
    micro_batch=4,
    micro_batches=2,
    warm_up=16,
    validate_every=40,
    validation_images=8,
    workers=2,
    augment=AugmentSettings(rotation_degrees=5, degrade_over=0),
)


def ignore(phase: str, done: int, total: int) -> None:
    pass


class StopError(Exception):
    pass


def stop_at(samples: int):
    def progress(phase: str, done: int, total: int) -> None:
        if phase == "training" and done >= samples:
            raise StopError

    return progress


def tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def assert_same_weights(one: Path, other: Path) -> None:
    ours, theirs = tensors(one), tensors(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


def history(out: Path) -> list[dict[str, float]]:
    with (out / "history.csv").open(encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_a_short_run_learns_and_its_weights_load(dots, tmp_path):
    summary = fit(TINY, dots, tmp_path / "out", ignore)

    rows = history(tmp_path / "out")
    assert [row["samples"] for row in rows] == [40, 80, 120, 160]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert summary.samples == 160
    assert summary.metrics["within_0.1"] == pytest.approx(rows[-1]["within_0.1"])
    assert summary.weights.stat().st_size < 5e6
    found = HandDetector.load(summary.weights).detect([np.zeros((40, 60, 3), np.uint8)])
    assert found[0].xy.shape == (21, 2)


def test_a_resumed_run_ends_like_an_uninterrupted_one(dots, tmp_path):
    whole = fit(TINY, dots, tmp_path / "whole", ignore)
    with pytest.raises(StopError):
        fit(TINY, dots, tmp_path / "parts", stop_at(104))
    resumed = fit(TINY, dots, tmp_path / "parts", ignore)

    assert_same_weights(whole.weights, resumed.weights)
    assert [row["loss"] for row in history(tmp_path / "whole")] == [row["loss"] for row in history(tmp_path / "parts")]


def test_the_number_of_threads_changes_nothing(dots, tmp_path):
    short = TINY.model_copy(update={"samples": 40})
    one = fit(short.model_copy(update={"workers": 1}), dots, tmp_path / "one", ignore)
    three = fit(short.model_copy(update={"workers": 3}), dots, tmp_path / "three", ignore)
    assert_same_weights(one.weights, three.weights)


def test_a_stopped_run_can_be_shortened_before_its_learning_rate_falls(dots, tmp_path):
    short = TINY.model_copy(update={"samples": 120})
    direct = fit(short, dots, tmp_path / "direct", ignore)
    with pytest.raises(StopError):
        fit(TINY, dots, tmp_path / "cut", stop_at(64))
    cut = fit(short, dots, tmp_path / "cut", ignore)
    assert_same_weights(direct.weights, cut.weights)


def test_a_run_whose_learning_rate_falls_keeps_its_length(dots, tmp_path):
    with pytest.raises(StopError):
        fit(TINY, dots, tmp_path / "out", stop_at(128))
    with pytest.raises(ValueError, match="length"):
        fit(TINY.model_copy(update={"samples": 400}), dots, tmp_path / "out", ignore)


def test_a_folder_of_another_run_is_refused(dots, tmp_path):
    with pytest.raises(StopError):
        fit(TINY, dots, tmp_path / "out", stop_at(48))
    with pytest.raises(ValueError, match="other settings"):
        fit(TINY.model_copy(update={"seed": 5}), dots, tmp_path / "out", ignore)


def test_weights_say_what_they_were_made_of(dots, tmp_path):
    summary = fit(TINY.model_copy(update={"samples": 40}), dots, tmp_path / "out", ignore)
    with safe_open(summary.weights, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == "slim"
    assert metadata["data"] == "dots"
    assert metadata["samples_seen"] == "40"
    assert FitSettings.model_validate_json(metadata["settings"]).samples == 40
    assert len(metadata["labels_sha256"]) == len(metadata["run_sha256"]) == 64


def test_weights_can_be_trained_further(dots, tmp_path):
    first = fit(TINY.model_copy(update={"samples": 80}), dots, tmp_path / "first", ignore)
    second = fit(
        TINY.model_copy(update={"samples": 40, "learning_rate": 1e-9}), dots, tmp_path / "second", ignore, first.weights
    )
    for name, tensor in tensors(first.weights).items():
        if "running" not in name:
            torch.testing.assert_close(tensors(second.weights)[name], tensor, rtol=1e-3, atol=1e-4)
    with safe_open(second.weights, "pt") as file:
        assert len(file.metadata()["start_sha256"]) == 64


def test_a_damaged_checkpoint_is_refused_and_kept(dots, tmp_path):
    with pytest.raises(StopError):
        fit(TINY, dots, tmp_path / "out", stop_at(104))
    (checkpoint,) = (tmp_path / "out").glob("*.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=f"{checkpoint.name}: not a whole checkpoint; delete it to start again"):
        fit(TINY, dots, tmp_path / "out", ignore)
    assert checkpoint.exists()
