"""One photograph: its truth fits its pixels, the hand model reproduces it, seeds matter, skins vary."""

import numpy as np
import pytest
import torch

from s2hand.datasets.cameras import project
from s2hand.pipeline.synthetic import Photograph, SyntheticSettings, photograph
from s2hand.pipeline.synthetic.scene import joints_px
from s2hand.train import load_hand_model

SETTINGS = SyntheticSettings(image_size=96, versions=1, seed=4)
SIZE = SETTINGS.image_size


@pytest.fixture(scope="module")
def photos() -> list[Photograph]:
    return [photograph(SETTINGS, "training", i) for i in range(24)]


def test_the_hand_model_reproduces_vertices_and_joints(photos: list[Photograph]):
    hand = load_hand_model("open", dtype=torch.float64)
    pose = torch.tensor(np.stack([p.pose for p in photos]))
    shape = torch.tensor(np.stack([p.shape for p in photos]))
    mesh = hand(axis_angle=pose[:, 3:], shape=shape, rotation=pose[:, :3])
    for photo, vertices, joints in zip(photos, mesh.vertices.numpy(), mesh.joints.numpy(), strict=True):
        shift = photo.joints[9] - joints[9]
        np.testing.assert_allclose(vertices + shift, photo.vertices, atol=2e-6)
        np.testing.assert_allclose(joints[:16] + shift, photo.joints[:16], atol=2e-6)


def test_joints_lie_on_the_mask_where_the_hand_is_whole(photos: list[Photograph]):
    """Joints in view fall on the hand or close to it, except where something hides it."""
    hits = []
    for photo in photos:
        padded = np.pad(photo.mask, 2)
        grown = sum(
            padded[2 + dy : SIZE + 2 + dy, 2 + dx : SIZE + 2 + dx] for dy in range(-2, 3) for dx in range(-2, 3)
        )
        cells = np.floor(joints_px(photo)).astype(int)
        inside = cells[((cells >= 0) & (cells < SIZE)).all(1)]
        hits.append((grown[inside[:, 1], inside[:, 0]] > 0).mean())
    assert np.mean(hits) > 0.8
    assert np.median(hits) > 0.9


def test_the_mask_is_inside_the_projected_outline(photos: list[Photograph]):
    for photo in photos:
        pixels = project(photo.vertices, photo.K)
        rows, cols = np.nonzero(photo.mask)
        assert len(rows) > 20
        low, high = pixels.min(0) - 1.5, pixels.max(0) + 1.5
        assert (cols + 0.5 >= low[0]).all()
        assert (cols + 0.5 <= high[0]).all()
        assert (rows + 0.5 >= low[1]).all()
        assert (rows + 0.5 <= high[1]).all()


def test_cameras_are_sane(photos: list[Photograph]):
    for photo in photos:
        assert photo.K[0, 0] == photo.K[1, 1]
        assert 1.4 * SIZE < photo.K[0, 0] < 3.5 * SIZE
        assert (np.abs(photo.K[:2, 2] - SIZE / 2) < 0.4 * SIZE).all()
        assert photo.joints[:, 2].min() > 0.05
        assert photo.joints[:, 2].max() < 6
    extents = [np.ptp(joints_px(p), axis=0).max() / SIZE for p in photos]
    assert min(extents) > 0.2
    assert max(extents) < 1.0
    assert np.ptp(extents) > 0.3


def test_the_hand_is_a_right_hand(photos: list[Photograph]):
    """From the wrist, fingers x thumb side points out of the back, away from where fingers bend to."""
    behind = []
    for photo in photos:
        wrist, index, middle, little = photo.joints[[0, 5, 9, 17]]
        back = np.cross(middle - wrist, index - little)
        behind += list((photo.joints[[8, 12, 16, 20]] - photo.joints[[5, 9, 13, 17]]) @ back / np.linalg.norm(back))
    assert np.mean(behind) < -0.015
    assert np.quantile(behind, 0.95) < 0.03


def test_indices_splits_and_seeds_differ_and_repeat():
    first = photograph(SETTINGS, "training", 0)
    again = photograph(SETTINGS, "training", 0)
    assert (first.images[0] == again.images[0]).all()
    assert (first.joints == again.joints).all()
    others = (
        photograph(SETTINGS, "training", 1),
        photograph(SETTINGS, "evaluation", 0),
        photograph(SETTINGS.model_copy(update={"seed": 5}), "training", 0),
    )
    for other in others:
        assert np.abs(other.joints - first.joints).max() > 1e-3
        assert np.abs(other.images[0].astype(int) - first.images[0]).mean() > 3


def test_more_versions_do_not_change_the_first():
    one = photograph(SETTINGS, "training", 3)
    four = photograph(SETTINGS.model_copy(update={"versions": 4}), "training", 3)
    assert len(four.images) == 4
    assert (one.images[0] == four.images[0]).all()


def test_photographs_are_neither_black_nor_white_nor_flat(photos: list[Photograph]):
    for photo in photos:
        image = photo.images[0].astype(float)
        assert image.dtype == float
        assert image.std() > 5
        on_hand = image[photo.mask].mean()
        assert 15 < on_hand < 245
