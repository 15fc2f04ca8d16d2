"""The inputs of the OpenPose network, against those of the original."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from s2hand.detect import reference as twin
from s2hand.detect.device_pyramid import device_inputs
from s2hand.detect.pyramid import level_images, network_input, network_inputs, plan_level, plan_levels, runs
from s2hand.detect.variants import SCALES

CPU = torch.device("cpu")

SHAPES = json.loads((Path(__file__).parent / "reference" / "hand_network.json").read_text())["input_shapes"]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_sizes_agree_with_the_original(name, reference):
    height, width, _ = reference[name].shape
    levels = [plan_level(height, width, scale) for scale in SCALES]
    assert [[1, 3, *level.padded] for level in levels] == SHAPES[name]


@pytest.mark.parametrize(("name", "level"), [("img96x21", 0), ("img96x21", 1), ("img96x21", 2), ("img61x50", 0)])
def test_inputs_agree_with_the_original(name, level, reference):
    image, expected = reference[name], reference[f"{name}_net_in{level}_u8"]
    plan = plan_level(*image.shape[:2], SCALES[level])
    ours = level_images([image], plan)[0].transpose(2, 0, 1)
    difference = np.abs(ours.astype(int) - expected)
    # OpenCV versions differ by one grey level in about 5 of a million values.
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 1e-4 * difference.size


def test_sizes_round_half_to_even():
    assert plan_level(96, 21, 1.0).resized == (368, 80)  # 80.5
    assert plan_level(184, 185 // 5, 1.0).resized == (368, 74)


def test_a_very_narrow_image_keeps_one_column():
    level = plan_level(2000, 2, 0.5)
    assert level.resized == (184, 1)
    assert level_images([np.zeros((2000, 2, 3), np.uint8)], level).shape == (1, 184, 8, 3)


def test_a_very_wide_image_is_refused():
    with pytest.raises(ValueError, match=r"20000 x 20 pixels: expected at most 16384 .* crop"):
        plan_level(20, 20_000, 1.0)


def test_network_input_is_blue_first_and_zero_in_the_padding():
    red = np.zeros((30, 21, 3), np.uint8)
    red[:, :, 0] = 255
    level = plan_level(30, 21, 0.2)
    values = network_input(level_images([red, red], level), torch.device("cpu"))
    assert values.shape == (2, 3, *level.padded)
    assert level.padded[1] > level.resized[1]
    inside = values[:, :, : level.resized[0], : level.resized[1]]
    np.testing.assert_array_equal(inside.amax(dim=(0, 2, 3)), [-0.5, -0.5, 255 / 256 - 0.5])
    assert not values[:, :, :, level.resized[1] :].any()


@pytest.mark.parametrize("size", [(224, 224), (61, 50), (90, 333), (300, 20), (2000, 2)])
def test_the_device_resizes_as_opencv_does(size, texture):
    noise = np.random.default_rng(2).integers(0, 25, (*size, 3), dtype=np.uint8)
    images = [texture(seed, *size) // 2 + noise + 50 * (seed % 2) for seed in range(3)]
    plans = [plan_levels(*size, SCALES[:3])] * 3
    pairs = zip(network_inputs(images, plans, CPU), device_inputs(images, plans, CPU), strict=True)
    for opencv, ours in pairs:
        assert ours.shape == opencv.shape
        assert ours.is_contiguous(memory_format=torch.channels_last)
        grey_levels = (256 * (ours - opencv)).abs()
        assert grey_levels.max() <= 1
        assert grey_levels.mean() < 5e-3
        np.testing.assert_array_equal(256 * ours % 1, 0)


@pytest.mark.parametrize("make", [network_inputs, device_inputs])
def test_images_of_other_sizes_do_not_change_an_input(make, texture):
    images = [texture(seed, side, side) for seed, side in enumerate([40, 56, 56, 33, 40])]
    plans = [plan_levels(*image.shape[:2], SCALES[:2]) for image in images]
    assert [part for part, _ in runs(plans)] == [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 5)]
    together = list(make(images, plans, CPU))
    for index, (image, plan) in enumerate(zip(images, plans, strict=True)):
        for scale, alone in enumerate(make([image], [plan], CPU)):
            np.testing.assert_array_equal(together[scale][index], alone[0])


def test_bfloat16_holds_the_input_exactly(texture):
    image = texture(0, 37, 45)
    plans = [plan_levels(37, 45, (0.5,))]
    exact = next(network_inputs([image], plans, CPU))
    for make in (network_inputs, device_inputs):
        (rounded,) = make([image], plans, CPU, torch.bfloat16)
        assert rounded.dtype == torch.bfloat16
    np.testing.assert_array_equal(next(network_inputs([image], plans, CPU, torch.bfloat16)).float(), exact)


def test_the_twin_makes_the_same_input(texture):
    image = texture(1, 61, 50)
    plan = plan_levels(61, 50, SCALES)
    for level, ours in zip(plan, network_inputs([image], [plan], CPU), strict=True):
        np.testing.assert_array_equal(ours, twin.network_input(image, level))
