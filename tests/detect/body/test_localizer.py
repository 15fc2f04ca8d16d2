"""From photographs to hand squares through the body network: painted answers for meaning, random ones for the rest."""

import numpy as np
import pytest
import torch
from torch import nn

from s2hand.datasets.files import sha256_file
from s2hand.detect.body import localizer as module
from s2hand.detect.body.localizer import BodyLocalizer, plan_levels
from s2hand.detect.weights import WeightsError

CPU = torch.device("cpu")

SIZES = [(480, 640), (368, 368), (480, 640), (240, 320), (600, 400)]
"""Height and width; the first, third and fourth are one size for the network."""

FIGURES = [
    [(320.2, 240.3, 200.4)],
    [],
    [(180.2, 241.9, 190.3), (470.9, 250.2, 200.1)],
    [(160.1, 120.4, 100.2)],
    [(201.4, 310.2, 240.7)],
]


class PaintedNetwork(nn.Module):
    """Answers each image with what was painted for it; the image's grey level is its number times ten."""

    def __init__(self, painted) -> None:
        super().__init__()
        self.painted = painted
        self.batches: list[int] = []

    def forward(self, images):
        self.batches.append(len(images))
        numbers = [round(float((image[0, 0, 0] + 0.5) * 256 / 10)) for image in images]
        answers = [self.painted[number] for number in numbers]
        return torch.stack([fields for _, fields in answers]), torch.stack([maps for maps, _ in answers])


@pytest.fixture
def scene(painting):
    """Images, their figures, and the network that knows them."""
    figures = [[painting.figure(*place) for place in places] for places in FIGURES]
    painted = []
    for points, size in zip(figures, SIZES, strict=True):
        maps, fields, _ = painting.paint(points, *size)
        painted.append((maps[0], fields[0]))
    images = [np.full((*size, 3), 10 * number, np.uint8) for number, size in enumerate(SIZES)]
    return images, figures, PaintedNetwork(painted)


def _nearest(boxes, figures):
    """Pair the boxes with the figures: per figure its left and its right box."""
    for points in figures:
        for hand, elbow, wrist in (("left", 6, 7), ("right", 3, 4)):
            centre = points[wrist] + 0.33 * (points[wrist] - points[elbow])
            here = [b.box for b in boxes if b.hand == hand]
            yield min(here, key=lambda b: np.hypot(*((b.x + b.w / 2, b.y + b.h / 2) - centre))), centre, points, wrist


@pytest.mark.parametrize("batch_pixels", [1, 10**9])
def test_hands_of_painted_people_are_found(scene, batch_pixels, monkeypatch):
    monkeypatch.setattr(module, "BATCH_PIXELS_ON_CPU", batch_pixels)
    images, figures, network = scene
    found = BodyLocalizer(network, "", CPU).locate(images, ["a"] * len(images))
    assert network.batches == ([3, 1, 1] if batch_pixels > 1 else [1] * 5)
    assert [len(hands) for hands in found] == [2 * len(people) for people in figures]
    for hands, people, (height, _) in zip(found, figures, SIZES, strict=True):
        assert [one.hand for one in hands] == ["left", "right"] * len(people)
        for box, centre, points, wrist in _nearest(hands, people):
            cell = height / 23
            assert np.abs(np.array([box.x + box.w / 2, box.y + box.h / 2]) - centre).max() < cell
            forearm = np.hypot(*(points[wrist] - points[wrist - 1]))
            upper_arm = np.hypot(*(points[wrist - 1] - points[wrist - 2]))
            assert box.w == pytest.approx(1.5 * max(forearm, 0.9 * upper_arm), abs=cell)
            assert all(isinstance(value, int) for value in (box.x, box.y, box.w, box.h))


def test_an_image_alone_and_among_others_is_the_same(scene):
    images, _, network = scene
    localizer = BodyLocalizer(network, "", CPU)
    together = localizer.locate(images, ["a"] * len(images))
    assert [localizer.locate([image], ["a"])[0] for image in images] == together
    assert localizer.locate([], []) == []


@pytest.fixture(scope="module")
def random_localizer(body_file):
    return BodyLocalizer.load(body_file, CPU, scales=(0.1,))


def test_it_names_its_weights_and_scales(random_localizer, body_file):
    assert random_localizer.name == "body"
    assert random_localizer.weights_sha256 == sha256_file(body_file)
    assert random_localizer.parameters == {"scales": [0.1]}


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (40, 31), (20, 20_000), (700, 500)])
def test_images_of_any_size_have_an_answer(size, random_localizer):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    hands = random_localizer.locate([image], ["a"])[0]
    for one in hands:
        assert one.box.x >= 0
        assert one.box.y >= 0
        assert one.box.x + one.box.w <= size[1]
        assert one.box.y + one.box.h <= size[0]


@pytest.mark.parametrize("scales", [(0.5,), (0.5, 4.0)])
def test_a_panorama_is_looked_at_smaller(scales):
    assert max(level.padded[1] for level in plan_levels(20, 20_000, scales)) == module.LONGEST_INPUT
    assert [level.factor for level in plan_levels(480, 640, scales)] == [scale * 368 / 480 for scale in scales]


def test_weights_of_the_hand_are_refused(openpose_file):
    with pytest.raises(WeightsError, match=r"expected weights of the OpenPose body network .*209,267,595 bytes") as e:
        BodyLocalizer.load(openpose_file, CPU)
    assert "found those of the OpenPose hand network (hand_pose_model.pth" in str(e.value)


def test_several_scales_run(body_file):
    image = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    assert len(BodyLocalizer.load(body_file, CPU, scales=(0.1, 0.2)).people([image, image])) == 2
