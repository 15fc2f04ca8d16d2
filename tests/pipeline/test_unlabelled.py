"""Hands without truth: plausible ones, outlines that fit, and the wrist where that is given."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, project
from s2hand.datasets.packs import Pack, Rows, Sample, write_pack
from s2hand.pipeline.plausibility import bone_lengths, plausibility
from s2hand.pipeline.unlabelled import draw_silhouettes, measure_unlabelled
from s2hand.train import load_hand_model
from s2hand.train.mano import HandModel
from s2hand.train.predict import Predictions

COUNT, SIZE = 6, 64
K = np.array([[120.0, 0, 32], [0, 120, 32], [0, 0, 1]])


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand_model("open")


@pytest.fixture(scope="module")
def predicted(hand: HandModel) -> Predictions:
    """Open hands before the camera, turned about its axis."""
    angles = torch.linspace(0, 2, COUNT)
    rotation = torch.stack([torch.zeros(COUNT), torch.zeros(COUNT), angles], dim=1)
    mesh = hand(torch.zeros(COUNT, 30), torch.zeros(COUNT, 10), rotation)
    shift = torch.tensor([0.0, 0.0, 0.4]) - mesh.joints[:, 9:10]
    joints, vertices = (mesh.joints + shift).numpy(), (mesh.vertices + shift).numpy()
    codes = np.zeros((COUNT, 47), np.float32)
    return Predictions(joints, vertices, project(joints, K).astype(np.float32), codes)


def photographs(hand: HandModel, predicted: Predictions, confidence: float, *, wrist: bool = True) -> Iterator[Sample]:
    """Yield photographs of just these hands; their wrists are given 5 cm away."""
    masks = np.concatenate(list(draw_silhouettes(hand, predicted.vertices_cam, np.tile(K, (COUNT, 1, 1)), SIZE)))
    for index, mask in enumerate(masks):
        keypoints = np.full((21, 3), (np.nan, np.nan, 0), np.float32)
        if confidence > 0:
            keypoints[:] = np.column_stack([predicted.joints_px[index], np.full(21, confidence)])
        yield Sample(
            name=f"{index}.png",
            image=np.where(mask[..., None], (200, 150, 130), (40, 90, 60)).astype(np.uint8),
            K=K,
            keypoints=keypoints,
            mirrored=False,
            box=Box(0, 0, SIZE, SIZE),
            wrist_cam=predicted.joints_cam[index, 0] + np.array([0, 0.03, 0.04]) if wrist else None,
        )


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, hand: HandModel, predicted: Predictions) -> Pack:
    path = tmp_path_factory.mktemp("pack") / "eval.h5"
    write_pack(path, photographs(hand, predicted, 0.9), {}, {})
    return Pack(path)


def moved(predicted: Predictions, by: NDArray[np.floating]) -> Predictions:
    change = by.astype(np.float32)
    return Predictions(
        predicted.joints_cam + change, predicted.vertices_cam + change, predicted.joints_px, predicted.codes
    )


def test_hands_that_fit(pack: Pack, predicted: Predictions, hand: HandModel) -> None:
    measured = measure_unlabelled(pack, predicted, hand)
    network, constant = measured["network"], measured["constant"]
    assert network["silhouettes"] == COUNT
    assert network["silhouette_iou"] > 0.9
    assert constant["silhouette_iou"] < 0.75
    assert network["wrist_cm"] == pytest.approx(5.0, rel=1e-4)
    assert network["bone_spread"] < 1e-5
    assert network["within_limits"] > 0.95


def test_hands_that_do_not(pack: Pack, predicted: Predictions, hand: HandModel) -> None:
    aside = measure_unlabelled(pack, moved(predicted, np.array([0.05, 0, 0])), hand)
    assert aside["network"]["silhouette_iou"] < 0.6
    assert aside["network"]["wrist_cm"] > 6


def test_crops_are_read_some_at_a_time(
    pack: Pack, predicted: Predictions, hand: HandModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, read, counts = measure_unlabelled(pack, predicted, hand), Pack.rows, []

    def counted(self: Pack, indices: range) -> Rows:
        counts.append(len(indices))
        return read(self, indices)

    monkeypatch.setattr("s2hand.pipeline.unlabelled._BATCH", COUNT - 1)
    monkeypatch.setattr(Pack, "rows", counted)
    assert measure_unlabelled(pack, predicted, hand) == whole
    assert counts == [COUNT - 1, 1]


def test_without_detections_no_outline_is_told(tmp_path: Path, predicted: Predictions, hand: HandModel) -> None:
    write_pack(tmp_path / "eval.h5", photographs(hand, predicted, 0.0, wrist=False), {}, {})
    measured = measure_unlabelled(Pack(tmp_path / "eval.h5"), predicted, hand)
    assert set(measured) == {"network"}
    assert "silhouette_iou" not in measured["network"]
    assert "wrist_cm" not in measured["network"]


def test_impossible_hands(predicted: Predictions, hand: HandModel) -> None:
    bent = np.zeros((COUNT, 30), np.float32)
    bent[0] = 4.0  # one of six hands, every finger far beyond its range
    before = plausibility(hand, np.zeros_like(bent), predicted.joints_cam)
    after = plausibility(hand, bent, predicted.joints_cam)
    assert after["within_limits"] < before["within_limits"]
    assert after["beyond_limits_deg"] > before["beyond_limits_deg"] + 5
    stretched = predicted.joints_cam.copy()
    stretched[0, 8] += stretched[0, 8] - stretched[0, 7]  # one of 120 bones twice as long
    long = plausibility(hand, bent, stretched)
    assert long["bone_deviation"] == pytest.approx(after["bone_deviation"] + 1 / 120, abs=1e-3)
    assert long["bone_spread"] > 0.01
    np.testing.assert_allclose(bone_lengths(7.0 * stretched), bone_lengths(stretched), rtol=1e-5)
