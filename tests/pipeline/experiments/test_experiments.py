"""The paper's experiments: what they train, the data they make, the tables they write; a tiny run of all three."""

import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from s2hand.datasets.cameras import project
from s2hand.datasets.freihand import FreiHand
from s2hand.datasets.packs import Pack
from s2hand.pipeline.cli import app
from s2hand.pipeline.experiments import experiments, keypoint_sets, paper, report, variants
from s2hand.pipeline.experiments.data import make_packs, true_keypoints
from s2hand.pipeline.experiments.outcome import Column, Outcome, Row, Trial
from s2hand.pipeline.experiments.runs import samples_3d
from s2hand.pipeline.experiments.surroundings import revision
from s2hand.pipeline.experiments.variants import ExperimentError, Keypoints
from s2hand.pipeline.params import Params, load_params
from s2hand.train.branches import planned_stages
from s2hand.train.settings import TrainSettings

ROOT = Path(__file__).parents[3]
PRESET = ROOT / "presets/experiments.yaml"


def settings(**loss: float) -> TrainSettings:
    return TrainSettings.model_validate({"loss": {"E_points": 0.01, "E_theta": 0.05, "E_maps": 0.1, **loss}})


def run(tiny: Path, *names: str) -> str:
    options = ("--params", "tiny.yaml", "--work", "work", "--out", "results", "--seeds", "1")
    here = Path.cwd()
    os.chdir(tiny)
    try:
        done = CliRunner().invoke(app, ["experiments", *names, *options])
    finally:
        os.chdir(here)
    assert done.exit_code == 0, done.output
    return done.output


# What is trained


def test_the_ablation_adds_group_after_group() -> None:
    rows = variants.ablation(settings())
    off = [{name for name, weight in row.settings.loss.model_dump().items() if weight == 0} for row in rows]
    photo, two = {"E_pixel", "E_SSIM", "E_C"}, {"E_2d", "E_maps", "E_con"}
    assert off == [{"E_ori", *two, *photo}, {*two, *photo}, photo, set()]
    assert rows[-1].settings == settings()


def test_rows_differ_in_terms_only_and_show_equally_many_samples_to_the_3d_branch() -> None:
    rows = variants.ablation(settings())
    assert len({row.settings.model_copy(update={"loss": settings().loss}).model_dump_json() for row in rows}) == 1
    assert {samples_3d(row.settings, steps=10) for row in rows} == {(90 + 60) * 10 * 64}
    stages = [[str(stage) for stage, _ in planned_stages(row.settings)] for row in rows]
    assert stages == [["shape", "joint"]] * 2 + [["shape", "keypoints", "joint"]] * 2


def test_the_full_method_is_a_row_of_all_three() -> None:
    full = settings()
    supervision, consistency = variants.supervision(full), variants.consistency(full)
    assert [row.keypoints for row in supervision] == [Keypoints.true, Keypoints.detected]
    assert supervision[1].settings == consistency[1].settings == variants.ablation(full)[-1].settings == full
    assert consistency[0].settings.loss.E_con == 0
    assert consistency[0].settings.loss.two_branches


@pytest.mark.parametrize("off", [("E_ori",), ("E_con",), ("E_2d", "E_maps", "E_con"), ("E_pixel", "E_SSIM")])
def test_parameters_without_a_compared_term_are_refused(off: tuple[str, ...]) -> None:
    with pytest.raises(ExperimentError, match=off[0]):
        variants.ablation(settings(**dict.fromkeys(off, 0.0)))


def test_the_shipped_preset_is_read_and_has_what_is_compared() -> None:
    train = load_params(PRESET).train
    assert len(variants.ablation(train)) == len(paper.TABLE_4)
    assert len(variants.consistency(train)) == 2


# 2D joint sets


def test_distances_are_of_a_224_px_image_and_a_missing_joint_is_far() -> None:
    true = np.zeros((1, 21, 2))
    joints = np.zeros((1, 21, 2))
    joints[0, 0] = (3, 4)
    joints[0, 1] = np.nan
    distances = keypoint_sets.distances_px(joints, true, size=112)
    assert distances[0, 0] == 10
    numbers = keypoint_sets.summary(distances)
    assert numbers["error_px"] == pytest.approx(10 / 20)
    assert numbers["found"] == pytest.approx(20 / 21)
    assert (numbers["within_5px"], numbers["within_10px"]) == (pytest.approx(19 / 21), pytest.approx(20 / 21))
    assert keypoint_sets.curve(distances)[-1] == pytest.approx(20 / 21)


# Tables


@pytest.fixture
def made_up() -> Outcome:
    columns = (Column("error", "error (px)", True), Column("share", "share", False))
    rows = (
        Row(
            "two seeds",
            (Trial({"error": 1.0, "share": 0.5}, {"seed": 0}), Trial({"error": 3.0, "share": 0.5}, {"seed": 1})),
            {"FreiHAND": {"error": 12.34}},
            {"samples_3d": 7},
        ),
        Row("one seed", (Trial({"error": 20.0}),)),
    )
    return Outcome("made-up", "Made up", columns, rows, ("A note.",), "a paper", {"seconds": 1.5})


def test_json_has_every_number(made_up: Outcome, tmp_path: Path) -> None:
    report.write_outcome(made_up, tmp_path / "new")
    written = json.loads((tmp_path / "new/made-up.json").read_text())
    first, second = written["rows"]
    assert first["mean"] == {"error": 2.0, "share": 0.5}
    assert first["std"] == {"error": pytest.approx(2**0.5), "share": 0.0}
    assert [trial["metrics"]["error"] for trial in first["trials"]] == [1.0, 3.0]
    assert [trial["seed"] for trial in first["trials"]] == [0, 1]
    assert (first["samples_3d"], first["paper"]) == (7, {"FreiHAND": {"error": 12.34}})
    assert second["std"] == {"error": None}
    assert (written["source"], written["seconds"]) == ("a paper", 1.5)


def test_the_page_has_the_same_and_the_papers_numbers_below(made_up: Outcome) -> None:
    lines = report.as_markdown(made_up).splitlines()
    assert lines[2:7] == [
        "|  | error (px) ↓ | share ↑ |",
        "| --- | ---: | ---: |",
        "| two seeds | 2.000 ± 1.414 | 0.500 ± 0.000 |",
        "| *paper, FreiHAND* | *12.34* |  |",
        "| one seed | 20.00 |  |",
    ]
    assert "- A note." in lines
    assert any("a paper" in line for line in lines)


def test_the_terminal_shows_rows_and_notes(made_up: Outcome) -> None:
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    report.print_outcome(made_up, console)
    console.file.close()
    text = console.export_text()
    assert all(part in text for part in ("2.000", "±1.414", "paper, FreiHAND", "over 2 seeds", "A note."))


def test_rows_of_unlike_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="same metrics"):
        Row("odd", (Trial({"a": 1.0}), Trial({"b": 1.0})))


def test_joints_that_nobody_found_have_no_summary() -> None:
    with pytest.raises(ValueError, match="expected at least one joint that was found, there is none"):
        keypoint_sets.summary(np.full((2, 21), np.nan))


def test_no_repository_is_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) is None


def test_a_revision_is_the_commit_and_says_whether_files_differ_from_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    (tmp_path / "file").write_text("one")
    git("init", "-q")
    git("add", "file")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD").strip()
    assert revision(tmp_path) == commit
    (tmp_path / "file").write_text("another")
    assert revision(tmp_path) == f"{commit} + changes"


# A tiny run of everything


def test_the_true_pack_has_the_same_crops_and_the_projected_truth(tiny: Path, params: Params) -> None:
    packs = make_packs(params, tiny / "work")
    with Pack(packs.train[Keypoints.detected]) as detected, Pack(packs.train[Keypoints.true]) as true:
        assert detected.names() == true.names()
        seen, known = (pack.rows(range(len(pack))) for pack in (detected, true))
        names = true.names()
    for field in ("images", "K", "boxes", "mirrored"):
        np.testing.assert_array_equal(getattr(seen, field), getattr(known, field))
    assert (known.keypoints[..., 2] == 1).all()
    assert np.abs(seen.keypoints[..., :2] - known.keypoints[..., :2]).max() > 0.1
    (tree,) = (tiny / "work").glob("data-*/prepared/photographs")
    records = {record.image: record for record in FreiHand(tree).records("training")}
    for name, keypoints in zip(names, known.keypoints, strict=True):
        record = records[name]
        assert record.joints_cam is not None
        assert record.K is not None
        np.testing.assert_allclose(keypoints[:, :2], project(record.joints_cam, record.K) / 2, atol=1e-3)


def test_true_joints_of_a_mirrored_crop_are_mirrored(tiny: Path, params: Params) -> None:
    make_packs(params, tiny / "work")
    (tree,) = (tiny / "work").glob("data-*/prepared/photographs")
    record = FreiHand(tree).records("training")[0]
    K = np.array([[50, 0, 16], [0, 50, 16], [0, 0, 1]], np.float32)  # symmetric in a crop of 32 pixels
    plain, mirrored = (true_keypoints(record, K, flag) for flag in (False, True))
    np.testing.assert_allclose(mirrored[:, 0], 32 - plain[:, 0], rtol=1e-4)
    np.testing.assert_allclose(mirrored[:, 1], plain[:, 1], rtol=1e-5)


@pytest.fixture
def made_data(tiny: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data is there, and making any of it again fails."""
    make_packs(params, tiny / "work")

    def refuse(*arguments: Any) -> None:
        raise AssertionError("made again")

    for name in ("prepare", "detect", "make_pack"):
        monkeypatch.setattr(f"s2hand.pipeline.experiments.data.{name}", refuse)


def test_all_three_share_data_and_trainings(tiny: Path, made_data: None) -> None:
    output = run(tiny, "ablation")
    assert "+ E_photo (full), seed 0, stage joint -> work/runs/" in output
    trained = [len(list((tiny / "work/runs").iterdir()))]  # stages that some rows share count once
    for name in ("supervision", "keypoint-sets"):
        run(tiny, name)
        trained.append(len(list((tiny / "work/runs").iterdir())))
    assert trained == [9, 12, 13]

    table = json.loads((tiny / "results/ablation.json").read_text())
    assert [row["title"] for row in table["rows"]] == [
        *("E_loc, E_regu", "+ E_ori", "+ E_2d, E_con", "+ E_photo (full)", "constant hand")
    ]
    assert {row["samples_3d"] for row in table["rows"][:4]} == {16}
    assert all(row["mean"].keys() == table["columns"].keys() for row in table["rows"])
    assert table["rows"][0]["paper"]["FreiHAND"]["pa_mpjpe_cm"] == 1.54
    assert table["samples"] == {"training": 8, "evaluation": 3}
    assert table["hardware"]["cores"] >= 1

    supervised = json.loads((tiny / "results/supervision.json").read_text())
    full = [rows["rows"][place]["trials"][0] for rows, place in ((table, 3), (supervised, 1))]
    assert full[0] == full[1]
    check_keypoint_sets(tiny / "results")


def check_keypoint_sets(folder: Path) -> None:
    rows = json.loads((folder / "keypoint-sets.json").read_text())["rows"]
    titles = [row["title"] for row in rows]
    kinds = ("Predicted w/o 2D-3D", "Projected w/o 2D-3D", "Predicted w/ 2D-3D", "Projected w/ 2D-3D")
    assert titles == ["Detected", *kinds]
    before, after = rows[2]["mean"]["error_px"], rows[4]["mean"]["error_px"]
    assert rows[4]["mean"]["reduction_percent"] == pytest.approx(100 * (1 - after / before))
    with (folder / "keypoint-sets.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(keypoint_sets.DISTANCES)
    assert [title for title in lines[0] if title in titles] == titles
    for title in titles:
        shares = [float(line[title]) for line in lines]
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] <= 1
    assert (folder / "keypoint-sets.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_with_what_to_do(tiny: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "train_all", interrupt)
    arguments = ["--params", str(tiny / "tiny.yaml"), "--work", str(tiny / "work"), "--out", str(tiny / "results")]
    done = CliRunner().invoke(app, ["experiments", "ablation", *arguments])
    assert done.exit_code == 130
    assert "run the same command again" in done.output


def test_a_wrong_preset_ends_in_one_line(tiny: Path, write_params: Callable[..., Path]) -> None:
    path = write_params(tiny / "wrong.yaml", train__loss__E_ori=0.0)
    arguments = ["--params", str(path), "--work", str(tiny / "work"), "--out", str(tiny / "results")]
    done = CliRunner().invoke(app, ["experiments", "ablation", *arguments])
    assert done.exit_code == 1
    assert "error: train.loss.E_ori: expected more than 0" in done.output
    assert "Traceback" not in done.output
