from pathlib import Path

import numpy as np
import pytest

from s2hand.detect.fit.augment import augment, move, placing_matrix
from s2hand.detect.fit.samples import load_samples
from s2hand.detect.fit.settings import AugmentSettings

PLAIN = AugmentSettings(color=0.0, occluder=0.0, background=0.0, blur=0.0, noise=0.0, jpeg=0.0)


@pytest.fixture
def samples(dots, tmp_path: Path):
    return load_samples(dots, "training", tmp_path / "cache", lambda done, total: None)


def picture_of(point: np.ndarray, size: int = 128) -> np.ndarray:
    """A soft spot, so that its mean is known to a fraction of a pixel."""
    centre = np.arange(size) + 0.5
    spot = np.exp(-0.5 * ((centre - point[0]) / 3) ** 2) * np.exp(-0.5 * ((centre[:, None] - point[1]) / 3) ** 2)
    return np.repeat((spot * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def middle_of(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(float)
    weight[weight < 40] = 0
    centre = np.arange(len(weight)) + 0.5
    return np.array([(weight.sum(0) * centre).sum(), (weight.sum(1) * centre).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(12))
def test_joints_move_with_the_image(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(40, 88, (21, 2)).astype(np.float32)
    moved, there = move(picture_of(points[7]), points, AugmentSettings(), np.random.default_rng(seed))
    # The same picture without the spot shows what the border looks like.
    empty, _ = move(np.zeros((128, 128, 3), np.uint8), points, AugmentSettings(), np.random.default_rng(seed))
    assert (there[7] > 8).all()
    assert (there[7] < 120).all()
    np.testing.assert_allclose(middle_of(moved - empty), there[7], atol=0.25)


@pytest.mark.parametrize("seed", range(20))
def test_the_hand_gets_the_size_that_was_asked_for_and_stays_in_the_crop(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(30, 90, (21, 2)).astype(np.float32)
    settings = AugmentSettings(coverage=(0.5, 0.8), overhang=0.0)
    matrix = placing_matrix(points, 128, settings, rng)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    side = (moved.max(0) - moved.min(0)).max() / 128
    assert 0.5 - 1e-6 <= side <= 0.8 + 1e-6
    assert moved.min() >= -1e-4
    assert moved.max() <= 128 + 1e-4


def test_nothing_is_ever_mirrored():
    rng = np.random.default_rng(3)
    points = rng.uniform(30, 90, (21, 2)).astype(np.float32)
    for _ in range(50):
        matrix = placing_matrix(points, 128, AugmentSettings(), rng)
        assert np.linalg.det(matrix[:, :2]) > 0


def test_the_same_seed_gives_the_same_picture(samples):
    settings = AugmentSettings()
    one, same, other = (augment(samples, 3, settings, 1.0, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.image, same.image)
    assert np.array_equal(one.points, same.points)
    assert not np.array_equal(one.image, other.image)


def test_samples_themselves_are_left_alone(samples):
    before = samples.images.copy()
    rng = np.random.default_rng(0)
    for index in range(20):
        augment(samples, index, AugmentSettings(background=1.0, occluder=1.0), 1.0, rng)
    assert np.array_equal(before, samples.images)


def test_a_new_background_keeps_the_hand(samples):
    settings = PLAIN.model_copy(update={"background": 1.0, "rotation_degrees": 0.0})
    drawn = [augment(samples, 0, s, 0.0, np.random.default_rng(1)) for s in (settings, PLAIN)]
    assert samples.mask(0) is not None
    assert samples.mask(1) is None
    assert drawn[0].image.shape == drawn[1].image.shape == (128, 128, 3)
