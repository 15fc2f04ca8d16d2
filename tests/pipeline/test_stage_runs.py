"""Durations of stages: those of what lies there, and of nothing else."""

import json

import pytest

from s2hand.pipeline import stage_runs
from s2hand.pipeline.stage_runs import noted, read_stage_runs


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""
    now = [0.0]
    monkeypatch.setattr(stage_runs.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stage_runs, "describe_machine", lambda: "Abacus, 10 beads")
    return now


def run_stage(root, clock, seconds, content, stage="evaluate"):
    """Take some time and write the file by which the stage is known."""
    with noted(stage, root):
        clock[0] += seconds
        file = root / stage_runs.WITNESSES[stage]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def test_a_run_is_told_with_its_time_and_machine(tmp_path, clock):
    run_stage(tmp_path, clock, 7.25, "{}")
    (run,) = read_stage_runs(tmp_path).values()
    assert (run.stage, run.seconds, run.machine) == ("evaluate", 7.2, "Abacus, 10 beads")


def test_what_another_run_made_has_no_time(tmp_path, clock):
    run_stage(tmp_path, clock, 1, "{}")
    (tmp_path / stage_runs.WITNESSES["evaluate"]).write_text('{"from": "the cache"}')
    assert read_stage_runs(tmp_path) == {}


def end_with(error, root, clock, stage):
    def fail():
        with noted(stage, root):
            clock[0] += 30
            raise error

    with pytest.raises(error):
        fail()


@pytest.mark.parametrize(("stage", "seconds"), [("train", 42), ("evaluate", 12)])
def test_an_interrupted_run_counts_for_the_one_that_goes_on(tmp_path, clock, stage, seconds):
    end_with(KeyboardInterrupt, tmp_path, clock, stage)
    assert read_stage_runs(tmp_path) == {}
    run_stage(tmp_path, clock, 12, "{}", stage)
    assert read_stage_runs(tmp_path)[stage].seconds == seconds
    run_stage(tmp_path, clock, 5, "{}", stage)
    assert read_stage_runs(tmp_path)[stage].seconds == 5


def test_a_failed_run_does_not_count(tmp_path, clock):
    end_with(ValueError, tmp_path, clock, "train")
    run_stage(tmp_path, clock, 12, "{}", "train")
    end_with(ValueError, tmp_path, clock, "train")
    assert read_stage_runs(tmp_path)["train"].seconds == 12  # what lies there is still its


def test_a_note_that_is_not_ours_is_passed_over(tmp_path, clock):
    run_stage(tmp_path, clock, 1, "{}")
    for wrong in ("no JSON", json.dumps({"stage": "evaluate"}), "[]"):
        (tmp_path / stage_runs.NOTES / "evaluate.json").write_text(wrong)
        assert read_stage_runs(tmp_path) == {}


def test_launched_processes_note_nothing(tmp_path, clock, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    run_stage(tmp_path, clock, 1, "{}")
    assert not (tmp_path / stage_runs.NOTES).exists()
