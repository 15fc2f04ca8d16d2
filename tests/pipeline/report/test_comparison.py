"""What a comparison says of two runs: verdicts, parameters, which hands changed most, and their pictures."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, mirror_image, mirror_points_cam, project
from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.pipeline.layout import EVAL_PACK, METRICS, PER_JOINT, PREDICTIONS, PREPARED
from s2hand.pipeline.predictions import write_predictions
from s2hand.pipeline.report.before_after import draw_changes, load_side, vertices_cam
from s2hand.pipeline.report.changes import Change, metric_changes, parameter_changes
from s2hand.pipeline.report.compared_hands import compare_hands
from s2hand.pipeline.report.comparison_section import comparison_section
from s2hand.pipeline.report.page import Chart, Facts, Html, Page, Table, render_page
from s2hand.pipeline.report.predicted_hands import TABLE, read_predictions
from s2hand.pipeline.report.project import Project
from s2hand.train import load_hand_model
from s2hand.train.mano import OPEN_HAND
from s2hand.train.predict import Predictions

COUNT, SIZE, LEFT = 4, 48, 1  # hands, pixels of a crop, the row of a left hand
K = np.array([[110.0, 0, 20], [0, 110, 24], [0, 0, 1]], np.float32)
GAINS = np.array([0.02, -0.01, 0.03, 0.0], np.float32)  # metres by which each fingertip comes nearer to the truth
NAMES = [f"rgb/{row}.jpg" for row in range(COUNT)]


@pytest.fixture(scope="module")
def truth() -> Predictions:
    """Hands as the network sees them, right ones, and the numbers that make them."""
    codes = torch.zeros(COUNT, 30 + 10 + 1 + 3 + 3)
    codes[:, :3] = torch.linspace(-0.5, 0.5, 3 * COUNT).view(COUNT, 3)
    codes[:, 40] = 0.9
    codes[:, 41:44] = torch.tensor([[0.2, 0.4 * row, -0.3] for row in range(COUNT)])
    codes[:, 44:] = torch.tensor([0.09, 0.0, 0.6])
    pose, shape, scale, rotation, translation = codes.split([30, 10, 1, 3, 3], dim=1)
    mesh = load_hand_model()(pose, shape, rotation)
    joints, vertices = (
        (scale[:, None] * points + translation[:, None]).numpy() for points in (mesh.joints, mesh.vertices)
    )
    return Predictions(joints, vertices, project(joints, K).astype(np.float32), codes.numpy())


def samples(truth: Predictions, known: bool = True, left: int | None = LEFT) -> list[Sample]:
    return [
        Sample(
            name=name,
            image=np.random.default_rng(row).integers(0, 99, (SIZE, SIZE, 3), dtype=np.uint8),
            K=K,
            keypoints=np.concatenate([truth.joints_px[row], np.full((21, 1), 0.9)], axis=1).astype(np.float32),
            mirrored=row == left,
            box=Box(10, 20, SIZE / 2, SIZE / 2),
            joints_cam=truth.joints_cam[row] if known else None,
        )
        for row, name in enumerate(NAMES)
    ]


def off(truth: Predictions, metres: NDArray[np.float32]) -> Predictions:
    """Move every fingertip of each hand to the side, as far as is said."""
    joints = truth.joints_cam.copy()
    joints[:, 4::4, 0] += metres[:, None]
    return replace(truth, joints_cam=joints, joints_px=project(joints, K).astype(np.float32))


def make(root: Path, truth: Predictions, errors: NDArray[np.float32], seed: int, known: bool = True) -> Project:
    """Write what a comparison reads of a run whose fingertips are so many metres off."""
    write_pack(root / EVAL_PACK, samples(truth, known), {}, {})
    with Pack(root / EVAL_PACK) as pack:
        write_predictions(root / PREDICTIONS, NAMES, pack.rows(range(COUNT)), off(truth, errors))
    for folder in (METRICS.parent, PREPARED):
        (root / folder).mkdir(parents=True, exist_ok=True)
    mean = 100 * float(errors.mean())
    network = {"root_mpjpe_cm": mean, "pa_auc_j": 1 - mean / 10} if known else {"agreement_px": mean}
    metrics = {"dataset": "freihand", "hands": COUNT, "network": network, "constant": {"mpjpe_px": 9.0}}
    (root / METRICS).write_text(json.dumps(metrics))
    rows = "".join(f"joint{joint},{0.1 * joint * mean}\n" for joint in range(21))
    (root / PER_JOINT).write_text("joint,network\n" + rows)
    (root / PREPARED / "index.json").write_text(json.dumps({"evaluation": {"digest": "same"}}))
    (root / "params.yaml").write_text(f"seed: {seed}\nhand_model: {OPEN_HAND}\ntrain:\n  loss: {{E_loc: 0.1}}\n")
    return Project(root, root.name)


Runs = tuple[Project, Project]  # before, now


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, truth: Predictions) -> Runs:
    root = tmp_path_factory.mktemp("runs")
    now = np.full(COUNT, 0.02, np.float32)
    return make(root / "earlier", truth, now + GAINS, 1), make(root / "later", truth, now, 2)


@pytest.fixture
def make_runs(tmp_path: Path, truth: Predictions) -> Callable[..., Runs]:
    def make_both(known: bool = True) -> Runs:
        now = np.full(COUNT, 0.02, np.float32)
        return (
            make(tmp_path / "earlier", truth, now + GAINS, 1, known),
            make(tmp_path / "later", truth, now, 1, known),
        )

    return make_both


def blocks(before: Project, now: Project) -> dict[str, Any]:
    return {block.title: block for block in comparison_section(now, before).blocks}


@pytest.mark.parametrize(
    ("key", "before", "now", "cells"),
    [
        ("root_mpjpe_cm", 4.0, 3.0, ("4.000", "3.000", "↓ better", "-1.000", "-25.0 %")),
        ("mpjpe_px", 20.0, 25.0, ("20.0", "25.0", "↑ worse", "+5.0", "+25.0 %")),
        ("pa_f15", 0.8, 0.9, ("0.800", "0.900", "↑ better", "+0.100", "+12.5 %")),
        ("within_0.1", 0.5, 0.4, ("0.500", "0.400", "↓ worse", "-0.100", "-20.0 %")),
        ("bone_deviation", 0.2, 0.1, ("0.200", "0.100", "↓ better", "-0.100", "-50.0 %")),
        ("pa_auc_j", 0.73121, 0.73124, ("0.731", "0.731", "= same", "+0.000", "+0.0 %")),
        ("silhouettes", 4.0, 5.0, ("4.000", "5.000", "↑", "+1.000", "+25.0 %")),
        ("found", 0.0, 0.5, ("0.000", "0.500", "↑ better", "+0.500", "")),
        ("wrist_cm", None, 2.0, ("", "2.000", "", "", "")),
    ],
)
def test_a_change_says_whether_it_is_for_the_better(
    key: str, before: float | None, now: float | None, cells: tuple[str, ...]
) -> None:
    assert Change("network", key, before, now).cells() == cells


def test_metrics_come_in_order_the_networks_first() -> None:
    before = {"hands": 3, "constant": {"b": 1.0}, "network": {"z": 1.0, "b": 2.0}}
    now = {"hands": 3, "network": {"a": 4.0, "b": 3.0, "z": 1.0}}
    found = [(change.who, change.key, change.before, change.now) for change in metric_changes(before, now, ["z"])]
    network = [("network", "z", 1.0, 1.0), ("network", "a", None, 4.0), ("network", "b", 2.0, 3.0)]
    assert found == [*network, ("constant", "b", 1.0, None)]


def test_parameters_that_differ_by_their_dotted_keys(tmp_path: Path) -> None:
    texts = ("a: 1\nb: {c: [1, 2], d: x}\nold: null\n", "a: 1\nb: {c: [1, 3], d: x}\nnew: {e: true}\n")
    for name, text in zip(("one", "two"), texts, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "params.yaml").write_text(text)
    one, two = (Project(tmp_path / name, name) for name in ("one", "two"))
    changes = parameter_changes(one, two)
    assert changes == [("b.c", "[1, 2]", "[1, 3]"), ("new.e", "not set", "true"), ("old", "null", "not set")]
    (tmp_path / "one/params.yaml").write_text("a: [")
    with pytest.raises(DataError, match=r"params\.yaml: not valid YAML"):
        parameter_changes(one, two)


def test_the_section_shows_what_changed(runs: Runs) -> None:
    section = comparison_section(runs[1], runs[0])
    found = {block.title: block for block in section.blocks}
    assert list(found) == [
        "What is compared",
        "Metrics",
        "Parameters that differ",
        "Error of each joint",
        "Each hand, before and now",
        "Improved most",
        "Worsened most",
    ]
    metrics, parameters = found["Metrics"], found["Parameters that differ"]
    assert isinstance(metrics, Table)
    assert isinstance(parameters, Table)
    assert metrics.rows[0] == ("joint error, root-relative (cm)", "3.000", "2.000", "↓ better", "-1.000", "-33.3 %")
    assert metrics.note == "Of the network's metrics: 2 better. All numbers of the constant hand are the same."
    assert parameters.rows == [("seed", "1", "2")]
    assert found["Error of each joint"].note == "20 of 21 joints became better."
    page = render_page(Page("report", "later", [section]))
    assert page.count('<img src="data:image/jpeg') == 3 * 3
    assert 'alt="rgb/2.jpg, before: 1.19"' in page


def test_hands_are_ranked_by_their_change(runs: Runs) -> None:
    found = blocks(*runs)
    scatter = found["Each hand, before and now"]
    assert isinstance(scatter, Chart)
    better, worse, _ = scatter.figure["data"]
    assert (better["text"], worse["text"]) == (["rgb/0.jpg", "rgb/2.jpg"], ["rgb/1.jpg"])
    # Five fingertips of 21 joints are off, in cm.
    assert better["x"] == pytest.approx([4.0 * 5 / 21, 5.0 * 5 / 21], rel=1e-2)
    assert better["y"] == pytest.approx([2.0 * 5 / 21] * 2, rel=1e-2)
    cards = {title: found[title].values["cards"] for title in ("Improved most", "Worsened most")}
    assert [card["name"] for card in cards["Improved most"]] == ["rgb/2.jpg", "rgb/0.jpg"]
    assert [(card["name"], card["change"]) for card in cards["Worsened most"]] == [("rgb/1.jpg", "+0.24 cm")]


def test_meshes_are_those_of_the_photographs(runs: Runs, truth: Predictions) -> None:
    side = load_side("later", read_predictions(runs[1].root / TABLE), OPEN_HAND)
    for row in (0, LEFT):
        expected = mirror_points_cam(truth.vertices_cam[row]) if row == LEFT else truth.vertices_cam[row]
        made = vertices_cam(side, row)
        assert made is not None
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_the_picture_of_a_left_hand_is_that_of_a_right_one_mirrored(truth: Predictions, tmp_path: Path) -> None:
    rows, drawn = np.array([LEFT]), []
    for left in (LEFT, None):
        write_pack(tmp_path / "eval.h5", samples(truth, left=left), {}, {})
        with Pack(tmp_path / "eval.h5") as pack:
            write_predictions(tmp_path, NAMES, pack.rows(range(COUNT)), truth)
            side = load_side("run", read_predictions(tmp_path / TABLE.name), OPEN_HAND)
            drawn += draw_changes(pack, rows, [rows], [side])
    (left_crop, left_hand), (crop, hand) = drawn
    np.testing.assert_array_equal(mirror_image(left_crop), crop)
    covered = np.abs(hand.astype(int) - crop).max(axis=2) > 60
    assert 0.05 < covered.mean() < 0.5
    differs = np.abs(mirror_image(left_hand).astype(int) - hand).max(axis=2) > 60
    assert differs.mean() < 0.1 * covered.mean()


def test_hands_of_one_run_only_are_passed_over(make_runs: Callable[..., Runs]) -> None:
    before, now = make_runs()
    table = pq.read_table(before.root / TABLE)
    pq.write_table(table.take([3, 1, 0]), before.root / TABLE)
    with Pack(now.root / EVAL_PACK) as pack:
        hands = compare_hands(pack, *(read_predictions(project.root / TABLE) for project in (before, now)))
    assert hands is not None
    assert hands.names == ["rgb/0.jpg", "rgb/1.jpg", "rgb/3.jpg"]
    np.testing.assert_allclose(hands.before, 100 * (0.02 + GAINS[[0, 1, 3]]) * 5 / 21, rtol=1e-4)


def test_without_truth_hands_are_compared_with_the_detections(make_runs: Callable[..., Runs]) -> None:
    before, now = make_runs(known=False)
    found = blocks(before, now)
    titles = found["Each hand, before and now"].figure["layout"]["xaxis"]["title"]
    assert titles["text"] == "error before (hand sizes)"
    assert [card["name"] for card in found["Improved most"].values["cards"]] == ["rgb/2.jpg", "rgb/0.jpg"]
    assert "hand sizes" in found["Error of each joint"].figure["layout"]["yaxis"]["title"]["text"]
    assert found["Metrics"].rows[0][0] == "2D distance to the detections (px)"


def reason(before: Project, now: Project) -> str:
    block = blocks(before, now)["Each hand"]
    assert isinstance(block, Facts)
    return block.rows["not compared"]


def test_other_photographs_are_said_and_not_compared_one_by_one(make_runs: Callable[..., Runs]) -> None:
    before, now = make_runs()
    (before.root / PREPARED / "index.json").write_text(json.dumps({"evaluation": {"digest": "other"}}))
    assert reason(before, now) == "the photographs are not the same"
    assert blocks(before, now)["What is compared"].rows["photographs"].startswith("not the same")
    assert "Metrics" in blocks(before, now)


@pytest.mark.parametrize(
    ("which", "path", "expected"),
    [
        (0, TABLE, "predictions.parquet of earlier is not there, neither in its folder nor in DVC's cache or remote"),
        (1, TABLE, "predictions.parquet is not there; `dvc repro` makes it"),
        (1, EVAL_PACK, "eval.h5 is not there; `dvc repro` makes it"),
    ],
)
def test_what_is_missing_is_said(make_runs: Callable[..., Runs], which: int, path: Path, expected: str) -> None:
    projects = make_runs()
    (projects[which].root / path).unlink()
    assert expected in reason(*projects)


def test_tables_of_older_versions_show_what_they_can(make_runs: Callable[..., Runs]) -> None:
    before, now = make_runs()
    table = pq.read_table(before.root / TABLE)
    pq.write_table(table.drop_columns(["pose"]), before.root / TABLE)
    found = blocks(before, now)["Improved most"]
    assert isinstance(found, Html)
    assert found.note.startswith("No mesh of earlier:")
    pq.write_table(table.drop_columns(["joints_cam"]), before.root / TABLE)
    assert reason(before, now) == "one of the tables, of an older version, has no joints"
    (before.root / TABLE).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"predictions\.parquet: not a Parquet file, or cut short"):
        blocks(before, now)
