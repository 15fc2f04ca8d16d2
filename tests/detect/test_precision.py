"""bfloat16: where it is chosen, and that it finds what float32 finds."""

from types import MappingProxyType

import numpy as np
import pytest
import torch

from s2hand.detect import HandDetector
from s2hand.detect.openpose import FEATURES, MAPS, HandNetwork, network_from_published, published_shapes
from s2hand.detect.openpose_estimator import OpenPoseEstimator
from s2hand.detect.precision import has_bfloat16, resolve_precision
from s2hand.detect.pyramid import plan_levels

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)
SCALES = (0.3, 0.4)


def colour_network(noise: float) -> HandNetwork:
    """A network that has learnt something: joint j is where the photograph has the colour j % 3.

    Each convolution hands its channels on, from the middle of its window, to channels of the same colour i % 3, among
    random weights as large as those of fresh networks times `noise`.
    """
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for name, shape in published_shapes().items():
        if name.endswith("bias"):
            tensors[name] = torch.full(shape, 0.5 if name == "conv1_1.bias" else 0.0)
            continue
        outputs, inputs, side, _ = shape
        weights = torch.randn(shape, generator=generator) * noise * (2 / (inputs * side * side)) ** 0.5
        first = MAPS if inputs == MAPS + FEATURES else 0  # later stages: the features come after the maps
        middle = weights[:, first:, side // 2, side // 2]
        channel, colours = torch.arange(outputs), 3 * ((inputs - first) // 3)
        if outputs == MAPS:
            middle[:, :colours] += (channel[:, None] % 3 == torch.arange(colours) % 3) * 1.8 / colours
        else:
            middle[channel, channel % colours] += 1
        tensors[name] = weights
    return network_from_published(tensors)


def coloured_spots(height: int, width: int) -> np.ndarray:
    """A dark photograph with a bright spot and a faint one in each of the three colours."""
    y, x = np.mgrid[0:height, 0:width]
    places = [(0.25, 0.3), (0.7, 0.25), (0.5, 0.75)]
    spots = [np.exp(-((y / height - v) ** 2 + (x / width - u) ** 2) / 0.008) for v, u in places]
    image = np.stack([200 * spots[c] + 50 * spots[c - 1] for c in range(3)], axis=2)
    return (image + np.random.default_rng(0).uniform(0, 8, image.shape)).astype(np.uint8)


def test_bfloat16_finds_the_peaks_of_float32():
    images = [coloured_spots(150, 130), coloured_spots(97, 101)]
    exact, rounded = (
        OpenPoseEstimator(colour_network(0.1), "0" * 64, CPU, SCALES, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    for image in images:
        one, other = exact.estimate([image])[0], rounded.estimate([image])[0]
        sure = one.confidence > 0.1
        assert sure.sum() == 21
        assert len(np.unique(one.xy, axis=0)) > 3
        assert np.abs(one.xy - other.xy)[sure].max() <= 1
        np.testing.assert_allclose(other.confidence, one.confidence, atol=0.02)
    plans = [plan_levels(*images[0].shape[:2], SCALES)]
    maps = [next(iter(map(e.maps, e.inputs(images[:1], plans)))) for e in (exact, rounded)]
    assert maps[0].dtype == maps[1].dtype == torch.float32
    assert 0 < (maps[0] - maps[1]).abs().max() < 0.05


def test_slim_weights_find_the_same_in_bfloat16(texture):
    images = [texture(seed, 128, 128) for seed in range(8)]
    one, other = (HandDetector.load("slim", precision=name).detect(images) for name in ("float32", "bfloat16"))
    distance = [np.linalg.norm(a.xy - b.xy, axis=1)[a.confidence > 0.1] for a, b in zip(one, other, strict=True)]
    assert np.quantile(np.concatenate(distance), 0.9) < 1


@pytest.mark.parametrize("weights", ["openpose_file", "slim_file"])
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_the_precision_is_a_parameter(weights, name, request):
    detector = HandDetector.load(request.getfixturevalue(weights), precision=name)
    assert detector.parameters["precision"] == name


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True}, torch.float32),
    ],
)
def test_auto_is_bfloat16_on_cpus_that_have_it(flags, dtype, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(flags), raising=False)
    assert resolve_precision("auto", CPU) == dtype
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize(("flags", "there"), [("fpu avx512_bf16 sse", True), ("fpu avx512f", False), (None, False)])
def test_older_versions_of_pytorch_look_into_cpuinfo(flags, there, monkeypatch, tmp_path):
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr("s2hand.detect.precision.CPUINFO", tmp_path / "cpuinfo")
    assert has_bfloat16(CPU) == there


@pytest.mark.parametrize(("capability", "there"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_auto_is_bfloat16_on_gpus_that_have_it(capability, there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: {GPU: capability}[device])
    assert has_bfloat16(GPU) == there
