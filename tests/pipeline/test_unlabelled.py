"""Hands without truth: plausible ones, outlines that fit, and the wrist where that is given."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import project
from s2hand.datasets.packs import Rows
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


@pytest.fixture(scope="module")
def rows(hand: HandModel, predicted: Predictions) -> Rows:
    """Photographs of just these hands."""
    masks = draw_silhouettes(hand, predicted.vertices_cam, np.tile(K, (COUNT, 1, 1)), SIZE)
    images = np.where(masks[..., None], (200, 150, 130), (40, 90, 60)).astype(np.uint8)
    confidence = np.full((COUNT, 21, 1), 0.9, np.float32)
    return Rows(
        images=images,
        K=np.tile(K.astype(np.float32), (COUNT, 1, 1)),
        keypoints=np.concatenate([predicted.joints_px, confidence], axis=2),
        mirrored=np.zeros(COUNT, bool),
        boxes=np.zeros((COUNT, 4), np.float32),
        joints_cam=None,
        vertices_cam=None,
        wrist_cam=predicted.joints_cam[:, 0] + np.array([0, 0.03, 0.04], np.float32),
    )


def moved(predicted: Predictions, by: NDArray[np.floating]) -> Predictions:
    change = by.astype(np.float32)
    return Predictions(
        predicted.joints_cam + change, predicted.vertices_cam + change, predicted.joints_px, predicted.codes
    )


def test_hands_that_fit(rows: Rows, predicted: Predictions, hand: HandModel) -> None:
    measured = measure_unlabelled(rows, predicted, hand)
    network, constant = measured["network"], measured["constant"]
    assert network["silhouettes"] == COUNT
    assert network["silhouette_iou"] > 0.9
    assert constant["silhouette_iou"] < 0.75
    assert network["wrist_cm"] == pytest.approx(5.0, rel=1e-4)
    assert network["bone_spread"] < 1e-5
    assert network["within_limits"] > 0.95


def test_hands_that_do_not(rows: Rows, predicted: Predictions, hand: HandModel) -> None:
    aside = measure_unlabelled(rows, moved(predicted, np.array([0.05, 0, 0])), hand)
    assert aside["network"]["silhouette_iou"] < 0.6
    assert aside["network"]["wrist_cm"] > 6


def test_without_detections_no_outline_is_told(rows: Rows, predicted: Predictions, hand: HandModel) -> None:
    blind = np.full((COUNT, 21, 3), (np.nan, np.nan, 0), np.float32)
    fields = {name: getattr(rows, name) for name in rows.__dataclass_fields__} | {"keypoints": blind, "wrist_cam": None}
    measured = measure_unlabelled(Rows(**fields), predicted, hand)
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
