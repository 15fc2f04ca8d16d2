"""Changes of viewpoint: image, camera and keypoints move together."""

import math

import numpy as np
import pytest
import torch

from s2hand.train.augment import Batch, View, augment, change_colour, move_view, new_cameras, warp
from s2hand.train.model import project
from s2hand.train.settings import AugmentSettings

SIZE = 48


def random_view(count, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return View(
        roll=(torch.rand(count, generator=random, dtype=dtype) * 2 - 1) * math.pi,
        zoom=0.6 + torch.rand(count, generator=random, dtype=dtype),
        shift=0.2 * torch.randn(count, 2, generator=random, dtype=dtype),
    )


def cameras(count, dtype=torch.float32):
    """Cameras with unequal focal lengths, skew, and a principal point outside the crop."""
    K = torch.tensor([[100.0, 3, 60], [0, 80, -20], [0, 0, 1]], dtype=dtype)
    return K.repeat(count, 1, 1)


def samples(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(count, 21, 3, generator=random) * torch.tensor([SIZE, SIZE, 1])
    images = torch.rand(count, 3, SIZE, SIZE, generator=random)
    return Batch(images, cameras(count), keypoints, torch.arange(count))


@pytest.mark.parametrize("seed", range(5))
def test_projecting_after_equals_moving_before(seed):
    view = random_view(16, seed, torch.float64)
    random = torch.Generator().manual_seed(seed)
    points = torch.rand(16, 21, 3, generator=random, dtype=torch.float64) - torch.tensor([0.5, 0.5, -0.5])
    K = cameras(16, torch.float64)
    new_K, maps = new_cameras(K, view, SIZE)
    after = project(points @ view.turns().transpose(1, 2), new_K)
    before = project(points, K)
    moved = before @ maps[:, :2, :2].transpose(1, 2) + maps[:, None, :2, 2]
    torch.testing.assert_close(after, moved, atol=1e-9, rtol=1e-9)


def test_new_cameras_have_no_turn_in_them():
    new_K, maps = new_cameras(cameras(8), random_view(8), SIZE)
    assert (new_K[:, 1, 0] == 0).all()
    assert (new_K[:, 2] == torch.tensor([0.0, 0, 1])).all()
    torch.testing.assert_close(maps[:, 2], torch.tensor([0.0, 0, 1]).expand(8, 3))


def test_the_crops_centre_moves_by_the_shift_only():
    view = random_view(8)
    _, maps = new_cameras(cameras(8), view, SIZE)
    centre = torch.tensor([SIZE / 2, SIZE / 2, 1])
    torch.testing.assert_close((maps @ centre)[:, :2], SIZE / 2 + SIZE * view.shift, atol=1e-3, rtol=0)


def test_keypoints_stay_on_what_they_mark_in_the_image():
    """A bright blob in the image is found again where the keypoint went."""
    count = 12
    random = torch.Generator().manual_seed(3)
    spot = SIZE / 2 + 8 * (torch.rand(count, 2, generator=random) - 0.5)
    grid = torch.arange(SIZE) + 0.5
    squared = (grid - spot[:, 0, None])[:, None, :] ** 2 + (grid - spot[:, 1, None])[:, :, None] ** 2
    images = torch.exp(-squared / 8)[:, None].expand(-1, 3, -1, -1)
    keypoints = torch.ones(count, 21, 3)
    keypoints[:, :, :2] = spot[:, None]
    view = random_view(count)
    view = View(view.roll, view.zoom, view.shift.clamp(-0.15, 0.15))
    moved = move_view(Batch(images, cameras(count), keypoints, torch.arange(count)), view)
    light = moved.images[:, 0]
    total = light.sum((1, 2))
    found = torch.stack([(light.sum(1) * grid).sum(1) / total, (light.sum(2) * grid).sum(1) / total], 1)
    torch.testing.assert_close(found, moved.keypoints[:, 0, :2], atol=0.3, rtol=0)


def test_a_quarter_turn_moves_pixels_exactly():
    images = torch.rand(1, 3, SIZE, SIZE)
    K = torch.tensor([[[60.0, 0, SIZE / 2], [0, 60, SIZE / 2], [0, 0, 1]]])
    view = View(torch.tensor([math.pi / 2]), torch.ones(1), torch.zeros(1, 2))
    _, maps = new_cameras(K, view, SIZE)
    expected = torch.rot90(images, -1, (2, 3))  # x towards y: clockwise on the screen
    torch.testing.assert_close(warp(images, maps), expected, atol=1e-4, rtol=0)


def test_no_change_changes_nothing():
    batch = samples(4)
    still = AugmentSettings(rotation_degrees=0.0, scale=1.0, shift=0.0, colour=0.0)
    same = augment(batch, still, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same.images, batch.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(same.K, batch.K, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(same.keypoints, batch.keypoints, atol=1e-3, rtol=1e-5)


def test_missing_joints_stay_missing():
    batch = samples(2)
    batch.keypoints[:, 3] = torch.tensor([torch.nan, torch.nan, 0.0])
    moved = augment(batch, AugmentSettings(), torch.Generator().manual_seed(0))
    assert moved.keypoints[:, 3, :2].isnan().all()
    assert (moved.keypoints[:, 3, 2] == 0).all()
    assert torch.isfinite(moved.keypoints[:, 4:]).all()


def test_the_generator_alone_decides():
    first, again, other = (
        augment(samples(4), AugmentSettings(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.keypoints, again.keypoints)
    assert not torch.equal(first.keypoints, other.keypoints)


def test_changes_stay_within_the_settings():
    settings = AugmentSettings(rotation_degrees=30.0, scale=1.5, shift=0.1, colour=0.0)
    batch = samples(200)
    moved = augment(batch, settings, torch.Generator().manual_seed(0))
    zoom = (moved.K[:, 0, 0] / batch.K[:, 0, 0]).numpy()
    assert zoom.min() == pytest.approx(1 / 1.5, abs=0.02)
    assert zoom.max() == pytest.approx(1.5, abs=0.02)
    joints = batch.keypoints[:, 1] - batch.keypoints[:, 0]
    after = moved.keypoints[:, 1] - moved.keypoints[:, 0]
    turn = torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(joints[:, 1], joints[:, 0])
    turn = np.degrees(np.abs((turn.numpy() + math.pi) % (2 * math.pi) - math.pi))
    assert turn.max() < 45  # 30, and a little for the unequal focal lengths


def test_colours_stay_in_range_and_grey_stays_grey_without_tint():
    images = torch.rand(8, 3, 8, 8)
    factors = 1 + 0.9 * (torch.rand(8, 6) * 2 - 1)
    changed = change_colour(images, factors)
    assert changed.min() >= 0
    assert changed.max() <= 1
    torch.testing.assert_close(change_colour(images, torch.ones(8, 6)), images)
    factors[:, 3:] = 1
    grey = change_colour(images[:, :1].expand(-1, 3, -1, -1), factors)
    torch.testing.assert_close(grey[:, 0], grey[:, 2])


def test_batches_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"Batch.K: expected \[2, 3, 3\], found \[3, 3, 3\]"):
        Batch(torch.zeros(2, 3, 8, 8), torch.zeros(3, 3, 3), torch.zeros(2, 21, 3), torch.arange(2))
