"""Merging the scales' maps by matrices, against OpenCV and SciPy step by step."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from s2hand.detect import reference as twin
from s2hand.detect.heatmaps import Axes, Merger, cubic, enlarging, make_merger, smoothing
from s2hand.detect.pyramid import plan_level, plan_levels
from s2hand.detect.taps import Taps
from s2hand.detect.variants import SCALES

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("source", "target", "step"), [(5, 40, 1 / 8), (40, 23, 40 / 23), (23, 61, 23 / 61), (3, 3, 1)]
)
def test_cubic_is_that_of_opencv(source, target, step):
    signal = np.random.default_rng(0).standard_normal((1, source)).astype(np.float32)
    resized = cv2.resize(signal, (target, 1), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(cubic(source, target, step) @ signal[0], resized[0], atol=5e-6)


def test_matrices_keep_a_constant():
    for matrix in (cubic(9, 30, 0.3).toarray(), enlarging(12, 91, 55), smoothing(enlarging(3, 20, 7))):
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("size", [(50, 61), (7, 5), (400, 90), (1, 2)])
@pytest.mark.parametrize("scales", [SCALES, (0.5,)])
def test_merger_agrees_with_its_twin(size, scales):
    generator = np.random.default_rng(1)
    levels = [plan_level(*size, scale) for scale in scales]
    maps = [generator.standard_normal((3, *level.cells)).astype(np.float32) for level in levels]
    merger = make_merger(levels, CPU)
    tensors = [torch.from_numpy(one) for one in maps]
    average = twin.merge_maps(maps, levels)
    np.testing.assert_allclose(merger.average(tensors), average, atol=5e-6)
    np.testing.assert_allclose(merger.smooth(tensors), twin.smooth_maps(average), atol=5e-6)


@pytest.mark.parametrize(("rows", "width"), [(17, 5), (3, 64), (1, 1)])
def test_taps_multiply_as_their_matrix(rows, width):
    generator = np.random.default_rng(2)
    matrix = generator.standard_normal((rows, 13)) * (generator.random((rows, 13)) < 0.6)
    matrix[0] = 0  # a row without any
    maps = generator.standard_normal((4, 13, width)).astype(np.float32)
    np.testing.assert_allclose(Taps.of(matrix).apply(maps), matrix @ maps, atol=5e-6)


def test_devices_without_taps_get_the_same():
    plan = plan_levels(40, 53, SCALES)
    maps = [torch.randn(3, *level.cells, generator=torch.Generator().manual_seed(0)) for level in plan]
    merger = make_merger(plan, CPU)
    full = Merger(
        *(
            Axes(*(replace(axis, taps=None) for axis in (axes.plain, axes.smooth)))
            for axes in (merger.rows, merger.columns)
        )
    )
    np.testing.assert_allclose(full.average(maps), merger.average(maps), atol=5e-6)
    np.testing.assert_allclose(full.smooth(maps), merger.smooth(maps), atol=5e-6)


def test_matrices_are_made_once_per_size():
    square = make_merger([plan_level(31, 31, 1.0)], CPU)
    assert square.rows is square.columns
    assert make_merger([plan_level(31, 33, 1.0)], CPU).columns is not square.columns
    assert make_merger([plan_level(31, 31, 1.0)], CPU).rows is square.rows
