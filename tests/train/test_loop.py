"""The training run: it learns, and a run that was killed, interrupted or moved ends like any other."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from s2hand.train import loop
from s2hand.train.checkpoint import BEST, HISTORY, KEYPOINTS, STATE, WEIGHTS, read_checkpoint
from s2hand.train.crash import CRASH
from s2hand.train.loop import train
from s2hand.train.settings import (
    AugmentSettings,
    EncoderSettings,
    HourglassSettings,
    LossSettings,
    StageSettings,
    StagesSettings,
    TrainSettings,
)

STILL = AugmentSettings(rotation_degrees=0.0, scale=1.0, shift=0.0, colour=0.0)


def plan(epochs, **changes):
    return StageSettings(**{"epochs": epochs, "learning_rate": 1e-3} | changes)


def stages(shape=1, keypoints=1, joint=1, **changes):
    """The three stages with their epochs."""
    return StagesSettings(
        shape=plan(shape, **changes), keypoints=plan(keypoints, **changes), joint=plan(joint, **changes)
    )


def settings(**changes):
    fields = {
        "stages": stages(),
        "batch_size": 4,
        "hourglass": HourglassSettings(stacks=2, features=16, depth=2, image_size=32),
        "device": "cpu",
        "weight_average": 0.9,
        "encoder": EncoderSettings(pretrained="never"),
    }
    return TrainSettings(**fields | changes)


def weights(folder):
    return read_checkpoint(folder).weights


def assert_same_weights(one, other):
    """Of both branches."""
    for file in (WEIGHTS, KEYPOINTS):
        ours, theirs = (read_checkpoint(folder, file).weights for folder in (one, other))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def history(folder):
    with (folder / HISTORY).open(newline="") as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [{key: value if key == "stage" else float(value) for key, value in row.items()} for row in rows]


def terms(row):
    """The loss terms that a line of the history has."""
    return {name for name in row if name.startswith("E_")}


@pytest.fixture(scope="module")
def whole(tiny_pack, tmp_path_factory):
    """An uninterrupted run of three stages of an epoch each."""
    out = tmp_path_factory.mktemp("whole")
    train(settings(), tiny_pack, out)
    return out


def test_a_run_writes_weights_state_and_history(whole, tiny_pack):
    assert {path.name for path in whole.iterdir()} == {WEIGHTS, BEST, KEYPOINTS, STATE, HISTORY, "sheets"}
    rows = history(whole)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["stage"] for row in rows] == ["shape", "keypoints", "joint"]
    assert {"learning_rate", "samples_per_second", "loss"} <= set(rows[0])
    photo, regu = {"E_pixel", "E_SSIM"}, {"E_beta", "E_C", "E_s", "E_J"}
    assert terms(rows[0]) == {"E_loc", "E_ori"} | photo | regu
    assert terms(rows[1]) == {"E_2d"}
    assert terms(rows[2]) == terms(rows[0]) | terms(rows[1]) | {"E_con"}
    names = {path.name for path in (whole / "sheets").iterdir()}
    assert names == {"1-shape-001.png", "2-keypoints-001.png", "3-joint-001.png"}
    identity = read_checkpoint(whole).identity
    assert identity.settings == settings()
    assert identity.image_size == 64
    assert identity.samples == {"crop": "square"}


def test_the_loss_is_the_weighted_sum_of_the_terms(whole):
    loss = LossSettings()
    for row in history(whole):
        weighted = [getattr(loss, name) * row[name] for name in terms(row)]
        assert row["loss"] == pytest.approx(sum(weighted), rel=1e-3)


def test_samples_read_by_workers_give_the_same_bits(whole, tiny_pack, tmp_path):
    train(settings(memory_gb=0.0), tiny_pack, tmp_path)
    assert_same_weights(whole, tmp_path)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # by the compiler itself
def test_compiled_networks_train(tiny_pack, tmp_path, monkeypatch):
    """With the compiler that compiles nothing: what it does is torch's affair, that it can, is ours."""
    compiled = []

    def compile_eagerly(module):
        compiled.append(type(module).__name__)
        module._compiled_call_impl = torch.compile(module._call_impl, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_eagerly)
    small = HourglassSettings(stacks=1, features=16, depth=1, image_size=32)
    train(settings(compile=True, stages=stages(0, 0, 1), hourglass=small, sheet_epochs=0), tiny_pack, tmp_path)
    assert compiled == ["Encoder", "HourglassBranch"]
    assert (tmp_path / WEIGHTS).is_file()


def test_a_run_of_other_settings_leaves_nothing_of_the_old_one(tiny_pack, tmp_path, caplog):
    train(settings(stages=stages(1, 1, 0)), tiny_pack, tmp_path)
    (tmp_path / CRASH).write_bytes(b"of long ago")
    with caplog.at_level("INFO"):
        train(settings(stages=stages(1, 0, 0), loss=LossSettings(E_2d=0.0, E_con=0.0)), tiny_pack, tmp_path)
    assert "training starts anew" in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS, BEST, STATE, HISTORY, "sheets"}
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["1-shape-001.png"]


def test_two_runs_are_the_same_to_the_bit(whole, tiny_pack, tmp_path):
    before = torch.random.get_rng_state()
    train(settings(), tiny_pack, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert_same_weights(whole, tmp_path)


class KillError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [4, 8, 20])
def test_a_run_that_breaks_off_goes_on_to_the_same_weights(whole, tiny_pack, tmp_path, after):
    """Eight samples, so two steps of four make an epoch: it ends after a step, between epochs, and at the end."""

    def stop(report):
        assert report.total == 24
        if report.seen == after:
            raise KillError

    with pytest.raises(KillError):
        train(settings(), tiny_pack, tmp_path, progress=stop)
    seen = []
    train(settings(), tiny_pack, tmp_path, progress=lambda report: seen.append(report.seen))
    assert seen[0] == max(after - 4, 0) // 8 * 8 + 4
    assert_same_weights(whole, tmp_path)
    assert [row["loss"] for row in history(tmp_path)] == [row["loss"] for row in history(whole)]


def test_ctrl_c_saves_the_step_and_goes_on_from_it(whole, tiny_pack, tmp_path):
    def press(report):
        if report.seen == 12:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(settings(), tiny_pack, tmp_path, progress=press)
    seen = []
    train(settings(), tiny_pack, tmp_path, progress=lambda report: seen.append(report.seen))
    assert seen == [16, 20, 24]
    assert_same_weights(whole, tmp_path)


def test_a_killed_process_goes_on_to_the_same_weights(whole, tiny_pack, tmp_path):
    code = (
        "import sys, time, torch\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"
        "from pathlib import Path\n"
        "from s2hand.train.loop import train\n"
        "from s2hand.train.settings import TrainSettings\n"
        "settings = TrainSettings.model_validate_json(sys.argv[1])\n"
        "def slow(report):\n"
        "    time.sleep(1.0 if report.seen > 8 else 0)\n"
        "train(settings, Path(sys.argv[2]), Path(sys.argv[3]), progress=slow)\n"
    )
    out = tmp_path / "run"
    command = [sys.executable, "-c", code, settings().model_dump_json(), str(tiny_pack), str(out)]
    with subprocess.Popen(command) as process:
        while not (out / WEIGHTS).exists() and process.poll() is None:
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    train(settings(), tiny_pack, out)
    assert_same_weights(whole, out)


def test_a_finished_run_is_not_trained_again(whole, tiny_pack, tmp_path):
    steps = []
    train(settings(), tiny_pack, whole, progress=lambda report: steps.append(report.seen))
    assert steps == []


@pytest.mark.parametrize("change", [{"weight_average": 0.8}, {"seed": 1}, {"stages": stages(2, 0, 0)}], ids=str)
def test_a_run_of_other_settings_starts_anew(tiny_pack, tmp_path, change):
    short = settings(stages=stages(1, 0, 0))
    train(short, tiny_pack, tmp_path)
    seen = []
    changed = settings(**{"stages": stages(1, 0, 0)} | change)
    train(changed, tiny_pack, tmp_path, progress=lambda report: seen.append(report.seen))
    assert seen[0] == 4


@pytest.fixture
def unsaved(monkeypatch):
    """Only the history is written: after each of many short epochs, saving takes longer than they do."""
    for writer in ("write_state", "write_weights"):
        monkeypatch.setattr(loop, writer, lambda *arguments: None)


def by_heart(epochs, **changes):
    """Settings with which a tiny pack is learnt by heart."""
    plan = {"stages": stages(epochs, 0, 0, warmup_steps=4)}
    return settings(**plan | {"batch_size": 8, "augment": STILL, "weight_average": 0.0, "sheet_epochs": 0} | changes)


def test_it_learns_a_tiny_pack_by_heart(tiny_pack, tmp_path, unsaved):
    train(by_heart(30), tiny_pack, tmp_path)
    rows = history(tmp_path)
    assert rows[-1]["E_loc"] < 0.4 * rows[0]["E_loc"]
    assert rows[-1]["E_ori"] < 0.4 * rows[0]["E_ori"]


def test_an_encoder_that_points_learns_its_points_too(tiny_pack, tmp_path, unsaved):
    encoder = EncoderSettings(pretrained="never", points=True)
    train(by_heart(25, encoder=encoder, loss=LossSettings(E_points=0.01)), tiny_pack, tmp_path)
    rows = history(tmp_path)
    assert rows[-1]["E_loc"] < 0.5 * rows[0]["E_loc"]
    assert rows[-1]["E_points"] < 0.6 * rows[0]["E_points"]


def test_the_2d_branch_learns_a_tiny_pack_by_heart(tiny_pack, tmp_path, unsaved):
    plan = stages(1, 30, 0, warmup_steps=4, learning_rate=1e-2)
    train(by_heart(0, stages=plan), tiny_pack, tmp_path)
    rows = history(tmp_path)
    assert rows[-1]["E_2d"] < 0.3 * rows[1]["E_2d"]


def test_the_render_comes_nearer_to_the_photograph(tiny_pack, tmp_path, unsaved):
    weights = LossSettings(E_pixel=0.5, E_SSIM=0.0, E_2d=0.0, E_con=0.0)
    train(by_heart(20, loss=weights), tiny_pack, tmp_path)
    rows = history(tmp_path)
    assert rows[-1]["E_pixel"] < 0.85 * rows[0]["E_pixel"]


def test_terms_of_weight_zero_are_not_computed_and_need_no_2d_branch(tiny_pack, tmp_path):
    loss = LossSettings(E_pixel=0.0, E_SSIM=0.0, E_C=0.0, E_2d=0.0, E_con=0.0)
    train(settings(loss=loss), tiny_pack, tmp_path)
    rows = history(tmp_path)
    assert [row["stage"] for row in rows] == ["shape", "joint"]
    assert all(terms(row) == {"E_loc", "E_ori", "E_beta", "E_s", "E_J"} for row in rows)
    assert not (tmp_path / KEYPOINTS).exists()


def test_the_best_epoch_is_that_nearest_to_what_was_held_back(tiny_pack, tmp_path):
    chosen = settings(stages=stages(4, 0, 0, learning_rate=0.05), held_back=0.4, weight_average=0.0)
    train(chosen, tiny_pack, tmp_path)
    distances = [row["held_back_px"] for row in history(tmp_path)]
    best = 1 + min(range(4), key=distances.__getitem__)
    again = settings(stages=stages(best, 0, 0, learning_rate=0.05), held_back=0.4, weight_average=0.0)
    train(again, tiny_pack, tmp_path / "again")
    ours, theirs = read_checkpoint(tmp_path, BEST).weights, weights(tmp_path / "again")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_bfloat16_trains_otherwise_and_keeps_float32(whole, tiny_pack, tmp_path):
    train(settings(precision="bfloat16"), tiny_pack, tmp_path)
    ours, theirs = weights(tmp_path), weights(whole)
    assert {name: tensor.dtype for name, tensor in ours.items()} == {n: t.dtype for n, t in theirs.items()}
    assert not torch.equal(ours["encoder.head.weight"], theirs["encoder.head.weight"])


def test_each_branch_is_measured_on_what_was_held_back(tiny_pack, tmp_path):
    train(settings(stages=stages(1, 1, 1), held_back=0.4, sheet_epochs=0), tiny_pack, tmp_path)
    measured = [{name for name in row if name.startswith("held_back")} for row in history(tmp_path)]
    assert measured == [{"held_back_px"}, {"held_back_2d_px"}, {"held_back_px", "held_back_2d_px"}]
