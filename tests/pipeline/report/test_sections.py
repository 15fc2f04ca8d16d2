"""Run, Labels and Training say what the files hold, name them, and do without those that are not there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError, sha256_file
from s2hand.datasets.packs import Pack
from s2hand.datasets.plan import plan_shards
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, Source
from s2hand.detect.stats import collect
from s2hand.pipeline.layout import CONFIDENCE, EVAL_PACK, HISTORY, KEYPOINTS, METRICS, MODEL, TRAIN_PACK
from s2hand.pipeline.report.build import Wanted, build_report
from s2hand.pipeline.report.labels_section import labels_section
from s2hand.pipeline.report.page import Block, Chart, Facts, Html, Page, Section, Table, render_page
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.run_section import run_section
from s2hand.pipeline.report.training_section import stage_spans, training_section
from s2hand.train.checkpoint import WEIGHTS


@pytest.fixture
def project(mini_project: Path) -> Project:
    return Project(mini_project, "mini")


@pytest.fixture
def bare(mini_project: Path, tmp_path: Path) -> Project:
    """What a fresh clone has: the parameters and the small results."""
    shutil.copytree(mini_project / "results", tmp_path / "results")
    shutil.copy(mini_project / "params.yaml", tmp_path)
    return Project(tmp_path, "bare")


def block(section: Section | None, title: str) -> Block:
    assert section is not None
    (found,) = (one for one in section.blocks if one.title.startswith(title))
    return found


def test_what_was_read_and_skipped(project: Project) -> None:
    section = run_section(project)
    read = block(section, "What was read")
    assert isinstance(read, Table)
    with Pack(project.root / TRAIN_PACK) as train, Pack(project.root / EVAL_PACK) as evaluation:
        packed = {"training": len(train), "evaluation": len(evaluation)}
    assert 0 < packed["training"] < 8
    assert [row[:5] for row in read.rows] == [(split, "8", "8", "8", str(count)) for split, count in packed.items()]
    skipped = block(section, "What was skipped")
    assert isinstance(skipped, Table)
    why = "hands below pack.min_confidence of 0.8"
    assert skipped.rows == [("training", why, str(8 - packed["training"]))]


def test_what_could_not_be_read_is_counted_by_reason(bare: Project) -> None:
    names = [f"{name}.jpg" for name in "abcd"]
    store = ShardStore(bare.root / KEYPOINTS / "evaluation", Provenance("slim", "", {}, ""))
    sources = [Source(name, 1, "0" * 64) for name in names]
    hand = HandRow(names[0], "0" * 64, 8, 8, "right", 0, Box(0, 0, 8, 8), np.ones((21, 3), np.float32))
    with store.writing():
        plan_shards(store.folder, names, len(names), "")
        failures = [Failure(one.image, f"{one.image}: not an image") for one in sources[2:]]
        store.write(0, sources, [hand], failures)
        store.finish(1)
    skipped = block(run_section(bare), "What was skipped")
    assert isinstance(skipped, Table)
    assert skipped.rows == [
        ("evaluation", "not an image", "2"),
        ("evaluation", "photographs without a hand that was found, which are packed without keypoints", "1"),
    ]


def test_stages_have_their_times_unless_something_else_lies_there(project: Project) -> None:
    stages = block(run_section(project), "Stages")
    assert isinstance(stages, Table)
    took = {row[0]: row[1] for row in stages.rows}
    assert all(took[stage].endswith(" s") for stage in ("prepare", "detect", "pack", "evaluate"))
    assert took["train"].startswith("not known")


def test_assets_by_digest_and_parameters_by_difference(project: Project) -> None:
    section = run_section(project)
    assets = block(section, "Assets")
    assert isinstance(assets, Table)
    digests = {row[0]: row[2] for row in assets.rows}
    assert digests["network, last epoch"] == sha256_file(project.root / MODEL / WEIGHTS)
    assert digests["network, best epoch"] == "not there"
    parameters = block(section, "Parameters")
    assert isinstance(parameters, Html)
    differing = {key: (value, default) for key, value, default in parameters.values["rows"]}
    assert differing["pack.min_confidence"] == ("0.8", "0.0")
    assert differing["pack.image_size"] == ("64", "none: has to be said")
    assert "train.device" not in differing


def test_labels_are_counted_and_the_doubtful_ones_shown(project: Project) -> None:
    section = labels_section(project)
    confidences = block(section, "How sure")
    assert isinstance(confidences, Chart)
    assert [trace["name"] for trace in confidences.figure["data"]] == ["training", "evaluation"]
    assert [sum(trace["y"]) for trace in confidences.figure["data"]] == pytest.approx([100, 100], abs=0.01)
    hands = collect(project.root / KEYPOINTS / "training").hands
    assert f"training {hands.sums.sum() / hands.found.sum():.2f}" in confidences.alt
    joints = block(section, "Joint by joint")
    assert isinstance(joints, Chart)
    assert joints.figure["data"][0]["y"] == pytest.approx(hands.found / 8)
    errors = block(section, "Error by confidence")
    assert isinstance(errors, Chart)
    assert errors.sources == (str(CONFIDENCE),)
    assert [trace["name"] for trace in errors.figure["data"]] == ["detector", "network", "constant"]
    (pictures,) = (one for one in section.blocks if one.kind == "pictures") if section else ()
    assert 1 <= len(pictures.pictures) <= 8
    assert all(one.uri.startswith("data:image/jpeg;base64,") and one.alt for one in pictures.pictures)


def test_every_term_of_the_loss_with_its_stages(project: Project) -> None:
    section = training_section(project)
    terms = block(section, "Every term")
    assert isinstance(terms, Chart)
    by_name = {trace["name"]: trace["y"] for trace in terms.figure["data"]}
    assert by_name == {"E_loc": [5, 4, None, None, None, 2], "E_2d": [None, None, None, 3, None, 1]}
    assert [one["text"] for one in terms.figure["layout"]["annotations"]] == ["shape", "keypoints", "joint"]
    assert terms.figure["layout"]["yaxis"]["type"] == "log"
    assert "E_loc from 5 to 2" in terms.alt
    assert {one.title for one in section.blocks if section} >= {"Loss", "Learning rate", "Throughput"}


def test_a_stage_that_comes_again_is_another_one() -> None:
    assert stage_spans(["a", "a", "b", "a"]) == [("a", 0, 1), ("b", 2, 2), ("a", 3, 3)]


def test_a_fresh_clone_has_a_report(bare: Project, tmp_path: Path) -> None:
    section = run_section(bare)
    read = block(section, "What was read")
    assert isinstance(read, Table)
    assert set(read.rows[0][1:5]) == {"not known"}
    skipped = block(section, "What was skipped")
    assert isinstance(skipped, Table)
    assert skipped.rows == [("both", "not known: no detections lie here", "")]
    code = block(section, "Code")
    assert isinstance(code, Facts)
    assert code.rows["git commit"].startswith("not a git repository")
    labels = labels_section(bare)
    assert [one.title for one in labels.blocks if labels] == ["Error by confidence"]
    (bare.root / HISTORY).unlink()
    (bare.root / CONFIDENCE).unlink()
    assert training_section(bare) is None
    assert labels_section(bare) is None
    assert build_report(bare.root, tmp_path / "report.html", Wanted(), lambda done, total: None) > 4e6


@pytest.mark.parametrize(("path", "make"), [(HISTORY, training_section), (CONFIDENCE, labels_section)])
def test_other_files_are_refused_in_a_line(bare: Project, path: Path, make: Callable[[Project], object]) -> None:
    (bare.root / path).write_text("epoch,network\n1,2\n")
    with pytest.raises(DataError, match=f"{path}: expected a column '.*', found epoch, network; make it anew"):
        make(bare)


def test_nothing_to_report_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{METRICS}: no such file; expected a project"):
        build_report(tmp_path, tmp_path / "report.html", Wanted(), lambda done, total: None)
    assert list(tmp_path.iterdir()) == []


def test_names_of_files_are_text() -> None:
    """A photograph may be called anything."""
    evil = "<script>alert(1)</script>"
    facts = Facts(title=evil, sources=(evil,), rows={evil: evil}, note=evil)
    chart = Chart(title="chart", sources=("x",), figure={"data": [{"name": evil}], "layout": {}}, alt=f'"{evil}')
    page = render_page(Page(evil, evil, [Section("a", evil, evil, [facts, chart])]))
    assert evil not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8
    assert "\\u003cscript\\u003ealert(1)" in page
