"""Peaks and values at the image's size, against the maps of that size that are never made."""

import numpy as np
import pytest
import torch

from s2hand.detect.body import maps as module
from s2hand.detect.body import reference
from s2hand.detect.body.maps import enlarge, find_peaks
from s2hand.detect.pyramid import plan_level
from s2hand.detect.reference import merge_maps

SIZES = [(96, 130, (0.5,)), (300, 41, (0.5, 1.0)), (40, 300, (0.3, 0.5)), (1, 1, (0.5,)), (3, 200, (0.2,))]


def _random(height, width, scales, channels, seed=3):
    levels = [plan_level(height, width, scale) for scale in scales]
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand((channels, *level.cells), generator=generator) - 0.4 for level in levels], levels


@pytest.mark.parametrize(("height", "width", "scales"), SIZES)
def test_values_are_those_of_the_enlarged_maps(height, width, scales):
    maps, levels = _random(height, width, scales, 4)
    whole = merge_maps([one.numpy() for one in maps], levels)
    xy = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    enlarged = enlarge(maps, levels)
    for channel in range(4):
        np.testing.assert_allclose(enlarged.at(channel, xy), whole[channel], atol=2e-6)


@pytest.mark.parametrize("tile", [1, 7, 32])
@pytest.mark.parametrize(("height", "width", "scales"), SIZES)
def test_peaks_are_those_of_the_published_steps(height, width, scales, tile, monkeypatch):
    monkeypatch.setattr(module, "TILE", tile)
    monkeypatch.setattr(module, "TILES_AT_A_TIME", 50)
    maps, levels = _random(height, width, scales, 5)
    # In float64, so that OpenCV's float32 makes no peaks of its own.
    matrices = module._cached_matrices(tuple(levels), torch.device("cpu"))
    whole = (matrices.rows @ module._widen(maps, matrices.columns)).numpy()
    peaks = find_peaks(maps, levels, threshold=0.05)
    expected = reference.find_peaks(whole, 0.05)
    found = np.column_stack([peaks.part, peaks.xy]).tolist()
    assert found == [list(one) for one in expected]
    np.testing.assert_allclose(peaks.value, [whole[part, y, x] for part, x, y in expected], atol=1e-12)
    assert len(expected) > 5 or height * width < 1000


def test_of_equal_neighbours_the_first_is_the_peak():
    level = plan_level(368, 368, 0.5)
    maps = torch.zeros((1, *level.cells))
    maps[0, 10, 12] = 1.0  # the centre of a cell is the corner of four pixels
    peaks = find_peaks([maps], [level])
    assert peaks.xy.tolist() == [[12 * 16 + 7, 10 * 16 + 7]]


def test_maps_without_peaks_have_none():
    level = plan_level(100, 100, 0.5)
    peaks = find_peaks([torch.zeros((18, *level.cells))], [level])
    assert (peaks.part.shape, peaks.xy.shape, peaks.value.shape) == ((0,), (0, 2), (0,))
    assert peaks.of_part(3).shape == (0,)
