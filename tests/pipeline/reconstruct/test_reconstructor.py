"""From Python: photographs in memory to hands, right ones and left ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2hand.datasets import cameras
from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, project
from s2hand.datasets.hand_crops import cut_hand
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.pipeline import Reconstructor
from s2hand.train.checkpoint import WEIGHTS, CheckpointError
from s2hand.train.hand_files import read_hand_file, write_hand_npz
from s2hand.train.mano import OPEN_HAND, load_hand_model, place
from s2hand.train.predict import predict
from s2hand.train.refine_settings import RefineSettings

Pictures = list[NDArray[np.uint8]]
SIDE = 96
BOX = Box(8, 4, 80, 80)
MIRROR = np.array([-1, 1, 1])


@pytest.fixture(scope="module")
def reconstructor(checkpoint: Path) -> Reconstructor:
    return Reconstructor.load(checkpoint, device="cpu", batch_size=2)


def test_three_lines(checkpoint: Path, pictures: Pictures, tmp_path: Path) -> None:
    found = Reconstructor.load(checkpoint, device="cpu").reconstruct(pictures[:2])
    found[0][0].save(tmp_path / "hand.glb")
    assert [[hand.hand for hand in hands] for hands in found] == [["right"], ["right"]]
    assert (tmp_path / "hand.glb").stat().st_size > 30_000
    assert 0 < found[0][0].confidence <= 1
    assert found[0][0].box == Box(0, 0, SIDE, SIDE)


def test_a_mirrored_photograph_gives_the_mirrored_hand(
    reconstructor: Reconstructor, pictures: Pictures, K: NDArray[np.float64]
) -> None:
    skewed = K + np.array([[0, 3, -5], [0, 0, 4], [0, 0, 0]])
    there = Box(SIDE - BOX.x - BOX.w, BOX.y, BOX.w, BOX.h)
    ((right,),) = reconstructor.reconstruct(pictures[:1], skewed, [[HandBox(BOX, "right")]])
    mirrored = cameras.mirror_image(pictures[0])
    ((left,),) = reconstructor.reconstruct(
        [mirrored], cameras.mirror_intrinsics(skewed, SIDE), [[HandBox(there, "left")]]
    )
    assert left.hand == "left"
    for name in ("joints_cam", "vertices_cam"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name) * MIRROR, atol=1e-5)
    np.testing.assert_allclose(left.joints_px, cameras.mirror_points_px(right.joints_px, SIDE), atol=1e-2)
    for name in ("pose", "shape", "rotation_matrix", "translation", "colors", "lights"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), atol=1e-5)
    np.testing.assert_allclose(left.photograph_lights[8:], right.photograph_lights[8:] * MIRROR, atol=1e-5)
    np.testing.assert_allclose(project(left.joints_cam, left.K), left.joints_px, atol=1e-2)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_codes_give_the_hand(
    reconstructor: Reconstructor, pictures: Pictures, K: NDArray[np.float64], side: str
) -> None:
    """M = s M0(pose, shape) R + T, of a left hand mirrored, is the hand before the photograph's camera."""
    ((hand,),) = reconstructor.reconstruct(pictures[1:2], K, [[HandBox(BOX, side)]])  # type: ignore[arg-type]
    pose, shape, rotation, translation = (
        torch.from_numpy(part)[None] for part in (hand.pose, hand.shape, hand.rotation, hand.translation)
    )
    mesh = place(load_hand_model()(pose, shape, rotation), torch.tensor([hand.scale]), translation)
    sign = MIRROR if side == "left" else 1
    np.testing.assert_allclose(mesh.vertices[0].numpy() * sign, hand.vertices_cam, atol=1e-5)
    np.testing.assert_allclose(project(hand.joints_cam, hand.K), hand.joints_px, atol=1e-2)
    assert np.linalg.det(hand.rotation_matrix) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("side", ["right", "left"])
def test_faces_turn_outward(
    reconstructor: Reconstructor, pictures: Pictures, K: NDArray[np.float64], side: str
) -> None:
    ((hand,),) = reconstructor.reconstruct(pictures[1:2], K, [[HandBox(BOX, side)]])  # type: ignore[arg-type]
    corners = (hand.vertices_cam - hand.vertices_cam.mean(axis=0))[hand.faces].astype(float)
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert volume > 5e-5  # cubic metres of a hand; negative where the inside is out


def test_it_sees_what_the_evaluation_sees(
    reconstructor: Reconstructor, checkpoint: Path, pictures: Pictures, K: NDArray[np.float64], tmp_path: Path
) -> None:
    """The same hands as `predict` gives for a pack, however many go together."""
    samples = []
    for index, picture in enumerate(pictures[:3]):
        crop = cut_hand(picture, K, BOX, "right", 64)
        sample = {"image": crop.image, "K": crop.K, "keypoints": crop.keypoints, "mirrored": False, "box": BOX}
        samples.append(Sample(name=f"{index}.png", **sample))  # type: ignore[arg-type]
    write_pack(tmp_path / "pack.h5", samples, sources={"drawn": "by the tests"}, parameters={})
    with Pack(tmp_path / "pack.h5") as pack:
        expected = predict(checkpoint, pack, device="cpu")
    found = reconstructor.reconstruct(pictures[:3], K, [[HandBox(BOX, "right")]] * 3)
    np.testing.assert_allclose([hands[0].joints_cam for hands in found], expected.joints_cam, atol=1e-5)


def test_crops_are_cut_as_those_of_the_training(
    make_checkpoint, pictures: Pictures, K: NDArray[np.float64], tmp_path: Path
) -> None:
    wide = Reconstructor.load(make_checkpoint(tmp_path / "wide", crop="keypoints", crop_scale=2.2), device="cpu")
    ((hand,),) = wide.reconstruct(pictures[:1], K)
    seen = hand.keypoints[hand.keypoints[:, 2] >= 0.3, :2]
    assert hand.box.w == pytest.approx(2.2 * np.ptp(seen, axis=0).max(), rel=1e-4)


def test_a_refined_hand_is_nearer_to_its_keypoints(
    checkpoint: Path, reconstructor: Reconstructor, pictures: Pictures, K: NDArray[np.float64]
) -> None:
    fitted = Reconstructor.load(checkpoint, device="cpu", refine=RefineSettings(place_steps=10, pose_steps=5))
    distances = []
    for each in (reconstructor, fitted):
        ((hand,),) = each.reconstruct(pictures[:1], K)
        seen = hand.keypoints[:, 2] > 0.3
        distances.append(np.linalg.norm(hand.joints_px - hand.keypoints[:, :2], axis=1)[seen].mean())
    assert distances[1] < 0.7 * distances[0]
    ((hand,),) = fitted.reconstruct(pictures[:1], K, [[HandBox(BOX, "right")]])
    assert hand.confidence > 0  # a given box is looked at, too


def test_wrong_pairings_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    arrays = read_hand_file(OPEN_HAND)
    write_hand_npz(tmp_path / "larger.npz", replace(arrays, v_template=1.01 * arrays.v_template))
    with pytest.raises(CheckpointError, match="another hand model"):
        Reconstructor.load(checkpoint, hand=str(tmp_path / "larger.npz"), device="cpu")
    with pytest.raises(CheckpointError, match=r"gone.safetensors: no such file"):
        Reconstructor.load(checkpoint / "gone.safetensors", device="cpu")
    assert Reconstructor.load(checkpoint / WEIGHTS, device="cpu").size == 64


def test_wrong_arguments_are_named(reconstructor: Reconstructor, pictures: Pictures, K: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"images\[1\]: expected an RGB image"):
        reconstructor.reconstruct([pictures[0], pictures[0][..., 0]])
    with pytest.raises(ValueError, match=r"K: expected one \[3, 3\]"):
        reconstructor.reconstruct(pictures[:1], np.stack([K, K]))
    with pytest.raises(ValueError, match=r"hands: expected the boxes of each of 1 images"):
        reconstructor.reconstruct(pictures[:1], hands=[])
    assert reconstructor.reconstruct([]) == []
