"""Mesh files, read back as a viewer reads them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError
from s2hand.pipeline import Reconstructor
from s2hand.pipeline.reconstruct.reconstruction import Reconstruction

FORMATS = ("glb", "obj", "ply")


@pytest.fixture(scope="module", params=["right", "left"])
def hand(
    checkpoint: Path, pictures: list[NDArray[np.uint8]], K: NDArray[np.float64], request: pytest.FixtureRequest
) -> Reconstruction:
    box = HandBox(Box(0, 0, 96, 96), request.param)
    ((found,),) = Reconstructor.load(checkpoint, device="cpu").reconstruct(pictures[:1], K, [[box]])
    return found


def read(path: Path) -> Any:
    loaded = trimesh.load(path, process=False)
    return next(iter(loaded.geometry.values())) if isinstance(loaded, trimesh.Scene) else loaded


@pytest.mark.parametrize("kind", FORMATS)
def test_a_viewer_sees_the_hand_as_in_the_photograph(hand: Reconstruction, kind: str, tmp_path: Path) -> None:
    """Before a viewer's camera, which looks along -z with y up, the mesh stands where the photograph shows it."""
    hand.save(tmp_path / f"hand.{kind}")
    mesh = read(tmp_path / f"hand.{kind}")
    x, y, z = np.asarray(mesh.vertices).T
    focal, centre = hand.K[0, 0], hand.K[:2, 2]
    seen = np.stack([centre[0] + focal * x / -z, centre[1] - focal * y / -z], axis=1)
    expected = (hand.vertices_cam / hand.vertices_cam[:, 2:]) @ hand.K.T
    np.testing.assert_allclose(seen, expected[:, :2], atol=1e-2)
    np.testing.assert_array_equal(mesh.faces, hand.faces)


@pytest.mark.parametrize("kind", FORMATS)
def test_normals_point_outward(hand: Reconstruction, kind: str, tmp_path: Path) -> None:
    hand.save(tmp_path / f"hand.{kind}")
    mesh = read(tmp_path / f"hand.{kind}")
    corners = np.asarray(mesh.triangles) - np.asarray(mesh.vertices).mean(axis=0)
    assert np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) > 0
    outward = mesh.vertex_normals  # as stored
    of_faces = np.zeros_like(outward)
    for corner in range(3):
        np.add.at(of_faces, mesh.faces[:, corner], np.cross(*np.diff(mesh.triangles, axis=1).transpose(1, 0, 2)))
    assert (np.einsum("vi,vi->v", outward, of_faces) > 0).mean() > 0.99


def test_colors_of_a_glb_are_linear_and_others_as_on_a_screen(hand: Reconstruction, tmp_path: Path) -> None:
    for kind in FORMATS:
        hand.save(tmp_path / f"hand.{kind}")
    stored = np.asarray(read(tmp_path / "hand.glb").visual.vertex_attributes["color"])[:, :3] / 255
    on_screen = np.where(stored <= 0.0031308, 12.92 * stored, 1.055 * stored ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(on_screen, hand.colors, atol=0.01)
    for kind in ("obj", "ply"):
        colors = np.asarray(read(tmp_path / f"hand.{kind}").visual.vertex_colors)[:, :3]
        np.testing.assert_allclose(colors / 255, hand.colors, atol=0.003)


def test_a_glb_says_how_it_wants_to_be_drawn(hand: Reconstruction, tmp_path: Path) -> None:
    hand.save(tmp_path / "hand.glb")
    mesh = read(tmp_path / "hand.glb")
    assert mesh.visual.material.doubleSided
    assert mesh.visual.material.metallicFactor == 0
    assert mesh.metadata["hand"] == hand.hand
    before = (tmp_path / "hand.glb").read_bytes()
    hand.save(tmp_path / "hand.glb")
    assert (tmp_path / "hand.glb").read_bytes() == before


def test_other_names_are_refused(hand: Reconstruction, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hand.stl: expected the name of a mesh file, which ends in .glb, .obj, .ply"):
        hand.save(tmp_path / "hand.stl")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("hand", "both", "expected right or left, found 'both'"),
        ("pose", np.zeros(45, np.float32), r"pose: expected \(30,\), found \(45,\)"),
        ("vertices_cam", np.zeros((1, 778, 3), np.float32), r"vertices_cam: expected \(778, 3\), found \(1, 778, 3\)"),
    ],
)
def test_what_is_no_hand_is_refused(hand: Reconstruction, field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(hand, **{field: value})
