"""The weights that come with the package, on sixteen synthetic photographs that training did not see."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.cameras import mirror_image
from s2hand.datasets.images import read_image
from s2hand.detect import HandDetector
from s2hand.detect.fit.measure import hand_sizes
from s2hand.detect.fit.settings import FitSettings
from s2hand.detect.weights import read_weights

HANDS = Path(__file__).parent / "reference" / "slim_hands"


@pytest.fixture(scope="module")
def detector() -> HandDetector:
    return HandDetector.load("slim")


@pytest.fixture(scope="module")
def labels() -> dict[str, np.ndarray]:
    return {name: np.array(label["uv"]) for name, label in json.loads((HANDS / "labels.json").read_text()).items()}


@pytest.fixture(scope="module")
def images(labels) -> list[np.ndarray]:
    return [read_image(HANDS / name) for name in labels]


def test_they_are_small_and_say_what_they_were_made_of():
    weights = read_weights("slim")
    assert weights.kind == "slim"
    assert weights.path.stat().st_size <= 5_000_000
    settings = FitSettings.model_validate_json(weights.metadata["settings"])
    assert settings.seed > 0
    assert int(weights.metadata["samples_seen"]) > 100_000
    for key in ("run_sha256", "labels_sha256", "start_sha256"):
        assert len(weights.metadata[key]) == 64


def test_they_find_joints(detector, images, labels):
    found = detector.detect(images)
    true = np.stack(list(labels.values()))
    errors = np.linalg.norm([hand.xy for hand in found] - true, axis=-1) / hand_sizes(true)[:, None]
    confidence = np.stack([hand.confidence for hand in found])
    sure = confidence > np.median(confidence)
    assert np.median(errors) < 0.075
    assert (errors < 0.1).mean() > 0.6
    assert errors[sure].mean() < 0.5 * errors[~sure].mean()


def test_left_hands_are_right_hands_in_a_mirror(detector, images):
    right = detector.detect(images[:4])
    left = detector.detect([mirror_image(image) for image in images[:4]], "left")
    for one, other in zip(right, left, strict=True):
        np.testing.assert_allclose(other.xy[:, 0], 128 - one.xy[:, 0], atol=1e-3)
        np.testing.assert_allclose(other.xy[:, 1], one.xy[:, 1], atol=1e-3)


def test_joints_move_with_the_hand(detector, images):
    """A border of 8 pixels around the photograph moves a joint by 8 pixels, but for what the network makes of it."""
    framed = [np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="edge") for image in images]
    moves = []
    for plain, moved in zip(detector.detect(images), detector.detect(framed), strict=True):
        sure = np.minimum(plain.confidence, moved.confidence) > 0.6
        moves.append((moved.xy - plain.xy)[sure])
    np.testing.assert_allclose(np.median(np.concatenate(moves), axis=0), [8, 8], atol=1.0)


def test_a_batch_changes_nothing(detector, images):
    alone = detector.detect(images[:1])[0]
    together = detector.detect(images)[0]
    np.testing.assert_allclose(alone.xy, together.xy, atol=1e-2)
    np.testing.assert_allclose(alone.confidence, together.confidence, atol=1e-3)
