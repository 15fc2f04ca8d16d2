"""The compiled network: how it is called; what it computes is PyTorch's."""

import numpy as np
import pytest
import torch

from s2hand.detect import HandDetector

SCALES = (0.1, 0.15)


@pytest.fixture
def shapes(monkeypatch):
    """What the compiled network was called with; in the place of a compiler, the network itself."""
    found = []

    def compiler(network, *, dynamic):
        assert dynamic is False

        def compiled(batch):
            assert batch.is_contiguous(memory_format=torch.channels_last)
            found.append(tuple(batch.shape))
            return network(batch)

        return compiled

    monkeypatch.setattr(torch, "compile", compiler)
    return found


def test_shapes_are_few_and_static(shapes, openpose_file, texture):
    plain, compiled = (
        HandDetector.load(openpose_file, scales=SCALES, precision="float32", batch_size=5, compile=flag)
        for flag in (False, True)
    )
    assert compiled.parameters == {**plain.parameters, "compile": True}
    images = [texture(seed, side, side) for seed, side in enumerate([40, 57, 40, 33, 90, 31, 32, 33])]
    for one, other in zip(plain.detect(images), compiled.detect(images), strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)
    assert shapes == [(8, 3, 40, 40), (8, 3, 56, 56), (4, 3, 40, 40), (4, 3, 56, 56)]


def test_shapes_are_not_given_up_after_a_few(shapes, openpose_file):
    HandDetector.load(openpose_file, compile=True)
    assert torch._dynamo.config.recompile_limit >= 256
