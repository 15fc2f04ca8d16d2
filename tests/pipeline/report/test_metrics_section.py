"""The report's numbers: what the files say, beside the paper's, with curves and a drawn hand."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2hand.datasets.files import DataError
from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.pipeline.experiments.outcome import Column, Outcome, Row, Trial
from s2hand.pipeline.experiments.report import write_outcome
from s2hand.pipeline.layout import METRICS, PCK, PER_JOINT
from s2hand.pipeline.paper import TABLE_2, TABLE_3
from s2hand.pipeline.report.drawn_hand import colours, hand_layout
from s2hand.pipeline.report.experiment_blocks import EXPERIMENTS, KEYPOINT_SETS
from s2hand.pipeline.report.metrics_section import metrics_section
from s2hand.pipeline.report.page import Block, Chart, Html, Page, Section, Table, render_page
from s2hand.pipeline.report.project import Project

HOW = ("", "_aligned")
TRUE = {"root_mpjpe_cm": 3.125, "pa_mpjpe_cm": 1.375, "pa_auc_j": 0.731, "mpjpe_px": 3.668}
WHO = {"network": TRUE, "constant": {"root_mpjpe_cm": 5.78}, "detector": {"mpjpe_px": 1.5, "found": 0.987}}


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])


def write_metrics(root: Path, dataset: str = "freihand", hands: int = 500, **who: Mapping[str, float]) -> None:
    (root / METRICS).parent.mkdir(parents=True, exist_ok=True)
    (root / METRICS).write_text(json.dumps({"dataset": dataset, "hands": hands, **who}))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A run with truth on synthetic photographs, and two experiments."""
    write_metrics(tmp_path, **WHO)
    (tmp_path / "params.yaml").write_text("data: {input: hand.npz, source: auto}\n")
    names = [f"{who}{kind}{how}" for kind in ("", "_vertices") for who in ("network", "constant") for how in HOW]
    write_csv(tmp_path / PCK, {"distance": [0.0, 20.0, 50.0], **{name: [0.0, 0.25, 1.0] for name in names}})
    errors = {"network": [0.0, *range(1, 21)], "constant": [7.0] * 21, "network_aligned": [0.5] * 21}
    write_csv(tmp_path / PER_JOINT, {"joint": JOINT_NAMES, **errors})
    trials = tuple(Trial({"pa_mpjpe_cm": value}) for value in (1.0, 2.0))
    rows = (Row("+ E_ori", trials, {"FreiHAND": {"pa_mpjpe_cm": 1.24}}), Row("constant hand", trials[:1]))
    columns = (Column("pa_mpjpe_cm", "PA MPJPE (cm)", True),)
    outcome = Outcome("ablation", "Terms (Table 4)", columns, rows, ("Note.",), "the paper", {"date": "2026-01-02T03"})
    write_outcome(outcome, tmp_path / EXPERIMENTS)
    sets = {"distance_px": [0.0, 10.0, 50.0], "Detected": [0.0, 0.75, 1.0], "Detected, std": [0.0, 0.25, 0.0]}
    write_csv(tmp_path / KEYPOINT_SETS, sets)
    return Project(tmp_path, "run")


def made(project: Project) -> Section:
    section = metrics_section(project)
    assert section is not None
    return section


def find(project: Project, title: str) -> Any:
    found: list[Block] = [block for block in made(project).blocks if title in block.title]
    assert len(found) == 1, [block.title for block in made(project).blocks]
    return found[0]


def test_the_table_has_everybody_s_numbers(project: Project) -> None:
    table = find(project, "All metrics")
    assert table.columns == ("metric", "network", "constant hand", "detector")
    assert ("joint error, root-relative (cm)", "3.125", "5.780", "") in table.rows
    assert ("2D joint error (px)", "3.668", "", "1.500") in table.rows
    assert "98.7 % of the joints" in table.note
    assert "3.12 cm relative to the wrist (constant hand: 5.78) and 1.38 cm after" in made(project).lead


def test_the_paper_s_rows_are_compared_only_on_its_own_photographs(project: Project) -> None:
    table = find(project, "paper")
    assert len(table.rows) == len(TABLE_2.rows) + 1
    assert table.rows[-2][:4] == ("S2HAND", "none", "0.77", "1.18")
    assert table.rows[-1] == ("this run", "none", "0.731", "1.38", "-", "-", "-", "-")
    assert table.strong == {len(TABLE_2.rows)}
    assert table.note.startswith("Not comparable")
    assert "500 synthetic photographs" in table.note
    (project.root / "params.yaml").write_text("data: {input: FreiHAND, source: auto}\n")
    write_metrics(project.root, hands=TABLE_2.images, **WHO)
    assert "the same 3960 test images of FreiHAND" in find(project, "paper").note
    write_metrics(project.root, dataset="ho3d", **WHO)
    assert TABLE_3.source in find(project, "paper").sources


def test_curves_of_joints_and_vertices(project: Project) -> None:
    for points in ("joints", "vertices"):
        chart = find(project, f"Share of {points}")
        assert [series["name"] for series in chart.figure["data"]] == [
            "network",
            "network, aligned",
            "constant hand",
            "constant hand, aligned",
        ]
        assert "Within 20 mm: network 25 %" in chart.alt


def test_results_of_an_older_version_have_no_vertices(project: Project) -> None:
    write_csv(project.root / PCK, {"distance": [0.0, 50.0], "network": [0.0, 1.0]})
    assert "has no vertices" in find(project, "Share of joints").note
    assert not any("vertices" in block.title for block in made(project).blocks)


def test_the_drawn_hand_has_each_joint_s_number_and_colour(project: Project) -> None:
    block = find(project, "Error of each joint")
    root, aligned = block.values["hands"]
    assert [joint["number"] for joint in root["joints"][:3]] == ["0.00", "1.00", "2.00"]
    assert root["joints"][0]["colour"] == colours([0])[0]
    assert root["joints"][20]["colour"] == colours([1])[0]
    assert root["joints"][20]["tip"] == "little tip: 20.0 cm (constant hand: 7.00 cm)"
    assert "best is thumb cmc with 1.00 cm, worst little tip with 20.0 cm" in root["alt"]
    assert root["ends"] == ("0", "20.0 cm")
    assert aligned["ends"] == ("0", "0.50 cm")
    assert block.values["table"]["rows"][1] == ["thumb cmc", "1.00", "7.00", "0.50"]


def test_the_hand_is_drawn_upright_inside_its_frame() -> None:
    layout = hand_layout()
    wrist, thumb, middle, little = (layout.joints[joint] for joint in (0, 4, 12, 20))
    assert middle[1] < wrist[1]
    assert thumb[0] < middle[0] < little[0]
    assert (layout.joints > 0).all()
    assert (layout.joints < [layout.width, layout.height]).all()


def test_experiments_have_mean_spread_seeds_and_the_paper_s_numbers(project: Project) -> None:
    table = find(project, "Table 4")
    assert isinstance(table, Table)
    assert table.rows == [("+ E_ori", "1.500 ± 0.707"), ("paper, FreiHAND", "1.24"), ("constant hand", "1.000")]
    assert "on 2026-01-02" in table.note
    assert "over 2 seeds" in table.note
    assert "the paper." in table.note
    chart = find(project, "Figure 4")
    assert isinstance(chart, Chart)
    assert "Detected 75 %" in chart.alt
    band, line = chart.figure["data"]
    assert band["y"] == [0.0, 1.0, 1.0, 1.0, 0.5, 0.0]
    assert line["name"] == "Detected"


def test_without_truth_distances_are_in_hand_sizes(project: Project) -> None:
    write_metrics(project.root, dataset="folder", network={"agreement_of_box": 0.0625}, constant={})
    write_csv(project.root / PCK, {"distance": [0.0, 0.1], "network": [0.0, 0.5], "constant": [0.0, 0.25]})
    write_csv(
        project.root / PER_JOINT,
        {"joint": JOINT_NAMES, "network": [0.1] * 20 + ["nan"], "constant": [0.2] * 21, "network_px": [3] * 21},
    )
    assert "no truth is known of them: on average the joints are 0.062 hand sizes" in made(project).lead
    assert len(find(project, "paper").rows) == len(TABLE_2.rows)
    assert "no truth is known" in find(project, "paper").note
    assert "Within 0.1 hand sizes: network 50 %; constant hand 25 %" in find(project, "Share of joints").alt
    (hand,) = find(project, "Error of each joint").values["hands"]
    assert hand["ends"] == ("0", "0.100 hand sizes")
    assert hand["joints"][20]["number"] == "-"
    assert hand["joints"][20]["colour"] == "none"


def test_only_metrics_are_needed(tmp_path: Path) -> None:
    assert metrics_section(Project(tmp_path, "")) is None
    write_metrics(tmp_path, **WHO)
    section = made(Project(tmp_path, ""))
    assert [block.title for block in section.blocks] == ["All metrics", "Beside the paper's numbers, after alignment"]
    assert str(PCK) in section.lead
    assert str(PER_JOINT) in section.lead


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (METRICS, "{}", "metrics.json"),
        (PER_JOINT, "joint,network,constant\nwrist,1,2\n", "21 joints"),
        (PER_JOINT, "joint,network\nwrist,1\n", "column 'constant'"),
        (EXPERIMENTS / "ablation.json", '{"rows": [{}]}', "s2hand experiments ablation"),
        (KEYPOINT_SETS, "x,y\n1,2\n", "distance_px"),
    ],
)
def test_other_files_are_refused_in_a_line(project: Project, path: Path, content: str, message: str) -> None:
    (project.root / path).write_text(content)
    with pytest.raises(DataError, match=message):
        metrics_section(project)


def test_every_block_says_what_it_was_made_from_and_the_page_has_it(project: Project) -> None:
    section = made(project)
    for block in section.blocks:
        assert (project.root / block.sources[0]).exists()
    drawn = [block for block in section.blocks if isinstance(block, Html)]
    page = render_page(Page("", "", [replace(section, blocks=drawn)]))
    assert "<title>little tip: 20.0 cm (constant hand: 7.00 cm)</title>" in page
    assert page.count("<text x=") == 2 * len(JOINT_NAMES)
