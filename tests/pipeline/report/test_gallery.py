"""Which hands the gallery shows, how far they are from the truth, and that left hands are shown as photographed."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, mirror_points_cam, mirror_points_px, project
from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.pipeline.measure import measure_agreement, measure_truth
from s2hand.pipeline.predictions import write_predictions
from s2hand.pipeline.report.gallery import choose
from s2hand.pipeline.report.gallery_section import gallery_section
from s2hand.pipeline.report.hand_errors import HandErrors, read_errors
from s2hand.pipeline.report.hand_views import SIDE, load_branches, same_mesh, view_hands
from s2hand.pipeline.report.marks import bones, marks
from s2hand.pipeline.report.page import picture_uri
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.shapes import encode_colors, encode_points
from s2hand.train import load_hand_model
from s2hand.train.checkpoint import KEYPOINTS, WEIGHTS, read_checkpoint, write_weights
from s2hand.train.hourglass import HourglassBranch
from s2hand.train.predict import Predictions
from s2hand.train.settings import HourglassSettings

COUNT, SIZE = 5, 64
LEFT = (1, 4)  # rows of left hands
K = np.array([[120.0, 0, 32], [0, 120, 32], [0, 0, 1]], np.float32)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """Open hands before noise, as right ones, some of them of left hands; some joints were not detected."""
    rng = np.random.default_rng(0)
    mesh = load_hand_model()(torch.zeros(COUNT, 30), rotation=torch.tensor(rng.normal(size=(COUNT, 3))).float())
    shift = torch.tensor([0.0, 0.0, 0.4]) - mesh.joints[:, 9:10]
    joints, vertices = (mesh.joints + shift).numpy(), (mesh.vertices + shift).numpy()
    keypoints = np.concatenate([project(joints, K), rng.uniform(0.4, 1, (COUNT, 21, 1))], axis=2).astype(np.float32)
    keypoints[2, 5] = np.nan, np.nan, 0
    noise = rng.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
    return [
        Sample(
            name=f"rgb/{row:03d}.jpg" if row < 4 else "rgb/003.jpg:1",
            image=cv2.resize(noise[row], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).astype(np.uint8),
            K=K,
            keypoints=keypoints[row],
            mirrored=row in LEFT,
            box=Box(10.0 * row, 5.0, 96.0, 96.0),
            joints_cam=joints[row],
            vertices_cam=vertices[row],
        )
        for row in range(COUNT)
    ]


@pytest.fixture
def predicted(samples: list[Sample]) -> Predictions:
    """The true hands, further and further off."""
    rng = np.random.default_rng(1)
    far = np.arange(1, COUNT + 1)[:, None, None] * 0.01
    joints, vertices = (np.stack([getattr(s, name) for s in samples]) for name in ("joints_cam", "vertices_cam"))
    joints = (joints + far * rng.normal(size=joints.shape)).astype(np.float32)
    return Predictions(joints, vertices, project(joints, K).astype(np.float32), np.zeros((COUNT, 47), np.float32))


def make_pack(path: Path, samples: list[Sample]) -> Pack:
    write_pack(path, samples, {}, {})
    return Pack(path)


def write_hourglass(folder: Path) -> None:
    """Put an untrained 2D branch beside the weights of a checkpoint."""
    identity = read_checkpoint(folder).identity
    small = HourglassSettings(stacks=1, features=8, depth=1, image_size=32)
    identity = replace(identity, settings=identity.settings.model_copy(update={"hourglass": small}))
    write_weights(folder / KEYPOINTS, HourglassBranch(small).state_dict(), identity)


def hands(errors: list[float]) -> HandErrors:
    names = [f"rgb/{row:03d}.jpg" for row in range(len(errors))]
    plain = np.zeros(len(errors))
    return HandErrors(names, plain.astype(bool), plain, np.array(errors), plain)


def test_the_best_the_worst_and_some_at_random() -> None:
    errors = hands([5.0, 1.0, 4.0, np.nan, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0])
    chosen = choose(errors, 7, ("002.jpg",), seed=3)
    by_why = {why: [one.row for one in chosen if one.why == why] for why in ("chosen", "best", "worst", "random")}
    assert (by_why["chosen"], by_why["best"], by_why["worst"]) == ([2], [1, 4], [6, 7])
    assert len({one.row for one in chosen}) == len(chosen) == 7
    assert chosen == choose(errors, 7, ("002.jpg",), seed=3)
    assert any(choose(errors, 7, ("002.jpg",), seed) != chosen for seed in range(5))


def test_all_hands_where_there_are_few_and_all_named_ones() -> None:
    errors = hands([1.0, np.nan, 2.0])
    assert sorted(one.row for one in choose(errors, 64, (), 0)) == [0, 1, 2]
    assert [one.row for one in choose(errors, 1, ("rgb/002.jpg", "rgb/001.jpg"), 0)] == [2, 1]
    with pytest.raises(DataError, match=r"--choose rgb/01.jpg: no such hand among the 3 held back, did you mean rgb/"):
        choose(errors, 1, ("rgb/01.jpg",), 0)


def test_errors_are_those_of_the_metrics(samples: list[Sample], predicted: Predictions, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "eval.h5", samples)
    rows = pack.rows(range(COUNT))
    write_predictions(tmp_path, pack.names(), rows, predicted)
    found = read_errors(pack, tmp_path / "predictions.parquet")
    metrics = measure_truth(rows, predicted.joints_cam, predicted.vertices_cam, predicted.joints_px).metrics["network"]
    assert found.unit == "cm"
    assert found.aligned is not None
    assert found.errors.mean() == pytest.approx(metrics["root_mpjpe_cm"], rel=1e-5)
    assert found.aligned.mean() == pytest.approx(metrics["pa_mpjpe_cm"], rel=1e-5)
    assert found.left.nonzero()[0].tolist() == list(LEFT)
    np.testing.assert_allclose(found.confidence, rows.keypoints[..., 2].mean(axis=1))


def test_without_truth_errors_are_distances_to_the_detections(
    samples: list[Sample], predicted: Predictions, tmp_path: Path
) -> None:
    blind = np.full((21, 3), (np.nan, np.nan, 0), np.float32)
    untold = [replace(sample, joints_cam=None, vertices_cam=None) for sample in samples]
    pack = make_pack(tmp_path / "eval.h5", [*untold[:-1], replace(untold[-1], keypoints=blind)])
    rows = pack.rows(range(COUNT))
    write_predictions(tmp_path, pack.names(), rows, predicted)
    found = read_errors(pack, tmp_path / "predictions.parquet")
    metrics = measure_agreement(rows, predicted.joints_px).metrics
    joints = np.array([21, 21, 20, 21])
    assert (found.unit, found.aligned) == ("hand sizes", None)
    assert np.isnan(found.errors[-1])
    assert np.average(found.errors[:-1], weights=joints) == pytest.approx(
        metrics["network"]["agreement_of_box"], rel=1e-4
    )


def test_predictions_of_other_hands_are_refused(samples: list[Sample], predicted: Predictions, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "eval.h5", samples)
    write_predictions(tmp_path, pack.names()[::-1], pack.rows(range(COUNT)), predicted)
    with pytest.raises(DataError, match=r"expected the 5 hands of .*eval\.h5, found others; evaluate again"):
        read_errors(pack, tmp_path / "predictions.parquet")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"predictions.parquet: not a Parquet file, or cut short"):
        read_errors(pack, tmp_path / "predictions.parquet")
    older = pa.table({"image": pack.names(), "hand": ["right"] * COUNT})
    pq.write_table(older, tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match=r"expected the columns joints_cam and joints_px, of this version"):
        read_errors(pack, tmp_path / "predictions.parquet")


def test_left_hands_are_shown_as_in_their_photographs(samples, make_checkpoint, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model")
    assert load_branches(folder, WEIGHTS, "open").keypoints is None
    write_hourglass(folder)
    branches = load_branches(folder, WEIGHTS, "open")
    right = make_pack(tmp_path / "right.h5", [replace(sample, mirrored=False) for sample in samples])
    left = make_pack(tmp_path / "left.h5", [replace(sample, mirrored=True) for sample in samples])
    (shown,), (mirrored,) = (list(view_hands(branches, pack, [1])) for pack in (right, left))
    assert shown.crop.shape == (SIDE, SIDE, 3)
    assert 0 < (shown.silhouette > 127).mean() < 1
    for name in ("crop", "silhouette", "render", "texture"):
        np.testing.assert_array_equal(getattr(mirrored, name), getattr(shown, name)[:, ::-1])
    for name in ("detected", "pointed", "projected"):
        np.testing.assert_allclose(getattr(mirrored, name), mirror_points_px(getattr(shown, name), SIDE), rtol=1e-5)
    for name in ("joints_cam", "vertices_cam", "true_joints_cam", "true_vertices_cam"):
        np.testing.assert_allclose(getattr(mirrored, name), mirror_points_cam(getattr(shown, name)))
    np.testing.assert_allclose(shown.detected, samples[1].keypoints[:, :2] * SIDE / SIZE, rtol=1e-5)


def test_the_truth_of_another_mesh_is_no_wire_mesh(samples: list[Sample]) -> None:
    faces, own = load_hand_model().faces.numpy(), samples[0].vertices_cam
    assert same_mesh(own * 1.3, own, faces)
    assert not same_mesh(np.random.default_rng(0).permutation(own), own, faces)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert gallery_section(Project(tmp_path, "empty"), 0, (), 0) is None
    section = gallery_section(Project(tmp_path, "empty"), 64, (), 0)
    assert section is not None
    assert section.lead == "No hands are shown: data/packs/eval.h5 is not there; dvc repro makes it."
    assert section.blocks == []


def test_shapes_are_exact_to_a_hundredth_of_a_millimetre(samples: list[Sample]) -> None:
    points, centre = samples[0].vertices_cam, np.array([0.01, 0.02, 0.4])
    coded = encode_points(points, centre)
    numbers = np.frombuffer(base64.b64decode(coded["data"]), "<i2").reshape(-1, 3)
    np.testing.assert_allclose(numbers * coded["step"] / 100 + centre, points, atol=1e-5)
    assert base64.b64decode(encode_colors(np.array([[0.0, 0.5, 1.2]]))) == bytes([0, 128, 255])


def test_no_mark_and_no_bone_where_nothing_was_detected() -> None:
    keypoints = np.full((21, 2), np.nan)
    assert marks(keypoints, "circle") == bones(keypoints) == ""
    keypoints[[0, 1, 20]] = (10, 20), (30.25, 40), (5, 5)
    assert bones(keypoints) == "M10 20L30.2 40"
    assert marks(keypoints, "square").count("M") == 3


def test_64_hands_of_busy_photographs_leave_most_of_15_mb(samples: list[Sample]) -> None:
    """A card's pictures are of one size whatever the crops are, so only their content counts: here it is the worst."""
    noise: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    busy = cv2.GaussianBlur(noise, (0, 0), 1.0)
    points = encode_points(samples[0].vertices_cam, np.zeros(3))
    card = 5 * len(picture_uri(busy, 80)) + 2 * len(json.dumps(points)) + len(encode_colors(np.ones((778, 3)))) + 8000
    assert 64 * card < 9e6
