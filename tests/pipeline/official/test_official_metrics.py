"""The official names and numbers: against the official scripts' own, and computed by hand."""

from typing import Any

import numpy as np
import pytest

from s2hand.datasets.records import Record
from s2hand.pipeline.official.challenges import CHALLENGES
from s2hand.pipeline.official.metrics import TITLES, HandSet, measure, read_truth
from s2hand.pipeline.paper import TABLE_2, TABLE_3

FREIHAND, HO3D = CHALLENGES["freihand"], CHALLENGES["ho3d_v3"]


def test_freihands_scores_are_the_official_ones_digit_for_digit(reference: Any) -> None:
    scores = FREIHAND.scores(measure(reference.predicted, reference.true))
    assert {name: f"{value:f}" for name, value in scores.items()} == reference.scores
    assert list(scores) == list(reference.scores)


def test_ho3ds_scores_are_the_official_ones(reference: Any) -> None:
    scores = HO3D.scores(measure(reference.predicted, reference.true))
    assert scores["xyz_scale_trans_al_mean3d"] == pytest.approx(100 * reference.scale_translation["mean_m"], abs=1e-12)
    assert scores["xyz_scale_trans_al_auc3d"] == pytest.approx(reference.scale_translation["auc"], abs=1e-12)
    # The other numbers are FreiHAND's; two of them have longer names.
    longer = {"xyz_al_mean3d": "xyz_procrustes_al_mean3d", "xyz_al_auc3d": "xyz_procrustes_al_auc3d"}
    for name, value in reference.scores.items():
        assert f"{scores[longer.get(name, name)]:f}" == value
    assert len(scores) == len(reference.scores) + 2


def test_ho3ds_scores_by_hand() -> None:
    joints = 0.01 * np.random.default_rng(0).standard_normal((3, 21, 3)) + [0, 0, 0.5]
    joints[:, 9] = joints[:, 0] + [0, 0.1, 0]
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10), np.arange(8)), -1).reshape(-1, 3)[:778] / 10.0
    true = HandSet(joints, np.tile(grid, (3, 1, 1)))
    moved, vertices = joints.copy(), true.vertices.copy()  # type: ignore[union-attr]
    moved[:, 4] += [0.021, 0, 0]
    vertices[:, ::2] += [0, 0.01, 0]
    moved = 2.0 * (moved - moved[:, :1]) + moved[:, :1] + [0.3, 0, 0]
    scores = HO3D.scores(measure(HandSet(moved, vertices), true))
    # 20 thresholds lie below 10 mm, 79.5 steps of 99 under the curve's other part.
    expected = {
        "xyz_auc3d": 0.0,
        "xyz_scale_trans_al_mean3d": 0.1,
        "mesh_mean3d": 0.5,
        "mesh_auc3d": 0.5 + 0.5 * 79.5 / 99,
        "f_score_5": 0.5,
        "f_score_15": 1.0,
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert scores["xyz_mean3d"] > 25


def test_every_number_has_a_title_and_is_printed_once() -> None:
    for challenge in CHALLENGES.values():
        assert set(challenge.names.values()) <= set(TITLES)
        assert len(set(challenge.names.values())) == len(challenge.names)


def test_truth_of_all_records_or_none(reference: Any, tmp_path: Any) -> None:
    def record(joints: Any, vertices: Any) -> Record:
        return Record(image="a.jpg", path=tmp_path, hand="right", joints_cam=joints, vertices_cam=vertices)

    joints, vertices = reference.true.joints, reference.true.vertices
    truth = read_truth([record(joints[0], vertices[0]), record(joints[1], vertices[1])])
    assert truth is not None
    np.testing.assert_array_equal(truth.joints, joints[:2])
    np.testing.assert_array_equal(truth.vertices, vertices[:2])  # type: ignore[arg-type]
    alone = read_truth([record(joints[0], vertices[0]), record(joints[1], None)])
    assert alone is not None
    assert alone.vertices is None
    assert read_truth([record(joints[0], vertices[0]), record(None, vertices[1])]) is None
    hands = HandSet(joints[:2], vertices[:2])
    assert list(FREIHAND.scores(measure(hands, alone))) == ["xyz_mean3d", "xyz_auc3d", "xyz_al_mean3d", "xyz_al_auc3d"]


def test_the_papers_own_rows() -> None:
    for table, mpjpe in ((TABLE_2, 1.18), (TABLE_3, 1.14)):
        assert table.rows[-1].method == "S2HAND"
        assert table.rows[-1].values["pa_mpjpe_cm"] == mpjpe
        assert f"Table {table.number}" in table.source
