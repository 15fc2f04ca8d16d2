"""The peaks on a GPU against those on a CPU, which the readable twin has checked.

Without a GPU, `test_the_kernels_in_the_interpreter` runs this file again in a process of its own, where Triton's
interpreter takes the kernels step by step, and another test compiles them for a GPU that is not there.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, label

from s2hand.detect.heatmaps import make_merger
from s2hand.detect.peaks import find_peaks
from s2hand.detect.pyramid import plan_levels
from s2hand.detect.variants import SCALES, THRESHOLDS

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
on_kernels = pytest.mark.skipif(not (INTERPRETED or torch.cuda.is_available()), reason="needs a GPU or the interpreter")


@pytest.mark.skipif(INTERPRETED, reason="that is what happens now")
def test_the_kernels_in_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "agree", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    root = Path(__file__).parents[2]
    result = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "skipped" not in result.stdout


@pytest.mark.skipif(INTERPRETED, reason="needs the compiler")
def test_the_kernels_compile_for_a_gpu(monkeypatch, tmp_path):
    """For compute capability 9.0, to machine code; nothing is launched."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.runtime.jit import JITFunction

    class Driver:
        get_current_device = staticmethod(lambda: "none")
        get_current_stream = staticmethod(lambda device: None)
        get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))

    run, compiled = JITFunction.run, {}

    def compile_only(kernel, *args, warmup, **options):
        compiled[kernel.__name__] = run(kernel, *args, warmup=True, **options)

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(JITFunction, "run", compile_only)
    monkeypatch.setattr(triton.runtime.driver, "_active", Driver())
    from s2hand.detect.triton_peaks import label_components

    label_components(torch.zeros(2, 10, 20), torch.zeros(2, 10, 20), 0.05)
    assert set(compiled) == {"_label_runs", "_join_rows", "_sum_components"}
    for name, kernel in compiled.items():
        assert kernel.asm["cubin"], name


def check(average: torch.Tensor, smoothed: torch.Tensor, threshold: float) -> torch.Tensor:
    """Compare places and values, which must be equal; return the places."""
    from s2hand.detect.triton_peaks import find_peaks_on_gpu

    expected = find_peaks(average, smoothed, threshold)
    xy, value = find_peaks_on_gpu(average.to(DEVICE), smoothed.to(DEVICE), threshold)
    torch.testing.assert_close(xy.cpu(), expected.xy, rtol=0, atol=0)
    torch.testing.assert_close(value.cpu(), expected.value, rtol=0, atol=0)
    return expected.xy


def smooth_noise(seed: int, count: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    noise = np.random.default_rng(seed).standard_normal((count, height, width)).astype(np.float32)
    smoothed = np.stack([gaussian_filter(one, 1.0) for one in noise])
    return torch.from_numpy(noise), torch.from_numpy(smoothed)


@on_kernels
@pytest.mark.parametrize("size", [(24, 31), (1, 40), (40, 1), (3, 300)])
@pytest.mark.parametrize("threshold", [-0.01, 0.0, 0.1])
def test_random_maps_agree(size, threshold):
    xy = check(*smooth_noise(1, 4, *size), threshold)
    assert (xy[:, 0] >= 0).any()


@on_kernels
@pytest.mark.parametrize("case", ["mixed", "large", "noisy"])
@pytest.mark.parametrize("variant", sorted(THRESHOLDS))
def test_parts_of_hard_cases_agree(case, variant, reference):
    height, width = reference[f"{case}_size"]
    plan = plan_levels(int(height), int(width), SCALES)
    maps = [torch.from_numpy(reference[f"{case}_maps{index}"].astype(np.float32)) for index in range(len(SCALES))]
    merger = make_merger(plan, torch.device("cpu"))
    middle = np.s_[::3, height // 2 - 22 : height // 2 + 22, width // 2 - 25 : width // 2 + 25]
    check(merger.average(maps)[middle], merger.smooth(maps)[middle], THRESHOLDS[variant])


@on_kernels
def test_components_agree():
    """A spiral, a comb, a chessboard joined by corners: all that is hard to join."""
    from s2hand.detect.triton_peaks import label_components

    spiral, comb, board, random = np.zeros((4, 41, 37), bool)
    for ring in range(0, 18, 2):
        spiral[ring : 41 - ring, ring : 37 - ring] = True
        spiral[ring + 1 : 40 - ring, ring + 1 : 36 - ring] = False
        spiral[ring + 2, ring + 1] = True
        spiral[ring + 1, ring] = ring % 4 > 0
    comb[:, ::2], comb[-1] = True, True
    board[::2, ::2] = board[1::2, 1::2] = True
    random[:] = np.random.default_rng(0).random(random.shape) < 0.4
    masks = np.stack([spiral, comb, board, random, ~random, np.ones_like(random), np.zeros_like(random)])
    weights = torch.from_numpy(np.random.default_rng(1).integers(-8, 9, masks.shape).astype(np.float32) / 8)
    labels, sums = label_components(weights.to(DEVICE), torch.from_numpy(masks).float().to(DEVICE), 0.5)
    for mask, weight, found, total in zip(masks, weights, labels.cpu(), sums.cpu(), strict=True):
        expected, count = label(mask, np.ones((3, 3)))
        roots = [np.flatnonzero(expected == number + 1)[0] for number in range(count)]
        np.testing.assert_array_equal(found, np.array([-1, *roots])[expected].ravel())
        np.testing.assert_array_equal(total[roots] / 2**32, [weight[expected == n + 1].sum() for n in range(count)])


@on_kernels
@pytest.mark.parametrize(
    ("rows", "peak"),
    [
        (["00030", "30000"], (3, 0)),  # equal sums: the first component
        (["00010", "00500", "05005", "00550"], (2, 1)),  # equal maxima: the first in reading order
        (["90000", "00233", "00233"], (3, 1)),  # the largest sum, not the highest value
        (["20006", "03000", "00000", "00004"], (4, 0)),  # corners connect
        (["00000", "00000"], (-1, -1)),
        (["33333", "33333"], (0, 0)),
    ],
)
def test_small_maps_agree(rows, peak):
    values = torch.tensor([[[int(digit) / 10 for digit in row] for row in rows]])
    assert check(values, values, 0.05).tolist() == [list(peak)]


@on_kernels
def test_maps_that_are_negative_huge_or_at_the_threshold_agree():
    ones = torch.ones(2, 3, 4)
    check(-ones, ones, 0.0)
    check(1e6 * ones, ones, 0.0)
    check(ones, ones / 2, 0.5)
    check(torch.zeros(0, 3, 4), torch.zeros(0, 3, 4), 0.5)
