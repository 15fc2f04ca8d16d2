"""Changes of viewpoint: image, camera and keypoints move together."""

import math

import numpy as np
import pytest
import torch

from s2hand.train.augment import (
    Batch,
    View,
    augment,
    blur,
    change_colour,
    cover,
    draw_changes,
    move_view,
    new_cameras,
    warp,
)
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
    return Batch(images, images, cameras(count), keypoints, torch.arange(count))


def draws(count, seed=0):
    return draw_changes(count, torch.Generator().manual_seed(seed))


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
    moved = move_view(Batch(images, images, cameras(count), keypoints, torch.arange(count)), view)
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
    same = augment(batch, still, draws(4))
    torch.testing.assert_close(same.images, batch.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(same.K, batch.K, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(same.keypoints, batch.keypoints, atol=1e-3, rtol=1e-5)


def test_missing_joints_stay_missing():
    batch = samples(2)
    batch.keypoints[:, 3] = torch.tensor([torch.nan, torch.nan, 0.0])
    moved = augment(batch, AugmentSettings(), draws(2))
    assert moved.keypoints[:, 3, :2].isnan().all()
    assert (moved.keypoints[:, 3, 2] == 0).all()
    assert torch.isfinite(moved.keypoints[:, 4:]).all()


def test_the_generator_alone_decides():
    first, again, other = (augment(samples(4), AugmentSettings(), draws(4, seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.keypoints, again.keypoints)
    assert not torch.equal(first.keypoints, other.keypoints)


def test_changes_stay_within_the_settings():
    settings = AugmentSettings(rotation_degrees=30.0, scale=1.5, shift=0.1, colour=0.0)
    batch = samples(200)
    moved = augment(batch, settings, draws(200))
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


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_change_projects_as_the_image_moved(seed):
    """Of all changes together: the true hand, turned by the view, projects by the new K onto the new keypoints."""
    settings = AugmentSettings(blur=0.02, occlusion=0.5)
    random = torch.Generator().manual_seed(seed)
    points = torch.rand(16, 21, 3, generator=random) - torch.tensor([0.5, 0.5, -0.5])
    batch = samples(16)
    keypoints = torch.cat([project(points, batch.K), torch.ones(16, 21, 1)], dim=-1)
    batch = Batch(batch.images, batch.targets, batch.K, keypoints, batch.rows)
    changes = draws(16, seed)
    moved = augment(batch, settings, changes)
    roll = changes[:, 0] * math.pi
    view = View(roll, torch.ones(16), torch.zeros(16, 2))
    after = project(points @ view.turns().transpose(1, 2), moved.K)
    torch.testing.assert_close(after, moved.keypoints[..., :2], atol=0.02, rtol=1e-4)
    assert not torch.equal(moved.images, moved.targets)


def test_only_the_networks_images_are_blurred_and_covered():
    clean, spoilt = (AugmentSettings(blur=size, occlusion=share) for size, share in ((0.0, 0.0), (0.05, 1.0)))
    one, other = (augment(samples(6), settings, draws(6)) for settings in (clean, spoilt))
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.images, one.targets)
    assert torch.equal(one.keypoints, other.keypoints)
    assert ((one.images - other.images).abs().amax((1, 2, 3)) > 0.1).all()


def test_blur_keeps_a_flat_image_and_the_mean_of_a_spot():
    flat = torch.full((2, 3, 24, 24), 0.3)
    torch.testing.assert_close(blur(flat, torch.tensor([0.0, 2.0])), flat)
    spot = torch.zeros(2, 1, 25, 25)
    spot[:, :, 12, 12] = 1.0
    sharp, soft = blur(spot, torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(sharp, spot[0], atol=1e-6, rtol=0)
    assert soft.sum() == pytest.approx(1.0, abs=1e-4)
    assert soft[0, 12, 12] == pytest.approx(1 / (2 * math.pi * 4), rel=0.02)


def test_covers_are_rectangles_of_one_colour_on_their_share_of_the_crops():
    images = torch.full((400, 3, 32, 32), -1.0)
    covered = cover(images, draws(400)[:, 11:], 0.25)
    hidden = (covered >= 0).all(1)
    share = hidden.flatten(1).any(1).float().mean()
    assert 0.15 < share < 0.3
    for mask, image in zip(hidden, covered, strict=True):
        if mask.any():
            rows, columns = mask.any(1), mask.any(0)
            assert torch.equal(mask, rows[:, None] & columns)
            assert max(rows.sum(), columns.sum()) <= math.ceil(0.4 * 32)
            assert image[:, mask].std(1).max() < 1e-6


def test_batches_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"Batch.K: expected \[2, 3, 3\], found \[3, 3, 3\]"):
        Batch(*[torch.zeros(2, 3, 8, 8)] * 2, torch.zeros(3, 3, 3), torch.zeros(2, 21, 3), torch.arange(2))
