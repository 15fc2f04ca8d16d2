"""What the samples of a pixel show: the kernels for the CPU against their twin in plain autograd."""

import numpy as np
import pytest
import torch

from s2hand.train.render.rasterize import rasterize
from s2hand.train.render.sample_kernels import sample_gradients, sum_samples
from s2hand.train.render.samples import pool_by_autograd, pool_samples

SIZE = (24, 36)
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}


def soup(kind: torch.dtype) -> dict[str, torch.Tensor]:
    """Two heaps of triangles seen from both sides, and colours of their sides."""
    rng = np.random.default_rng(4)
    points = rng.uniform((-10, -10, 0.3), (45, 35, 2.0), (2, 40, 3))
    faces = torch.tensor(rng.integers(0, 40, (20, 3)))
    vertices, front, back = (torch.tensor(values, dtype=kind) for values in (points, *rng.random((2, 2, 40, 3))))
    face_index = rasterize(vertices, faces, SIZE).face_index
    assert 0.3 < (face_index >= 0).float().mean() < 1
    return {"vertices_px": vertices, "faces": faces, "face_index": face_index, "front": front, "back": back}


@pytest.mark.parametrize("kind", TOLERANCE)
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_values_and_gradients_are_those_of_autograd(kind: torch.dtype, factor: int) -> None:
    scene = soup(kind)
    tracked = [scene[name].requires_grad_() for name in ("vertices_px", "front", "back")]
    fast, slow = (pool(**scene, factor=factor) for pool in (pool_samples, pool_by_autograd))
    torch.testing.assert_close(fast, slow, rtol=TOLERANCE[kind], atol=TOLERANCE[kind])
    weights = torch.randn(fast.shape, generator=torch.Generator().manual_seed(0), dtype=kind)
    pairs = zip(*(torch.autograd.grad((pooled * weights).sum(), tracked) for pooled in (fast, slow)), strict=True)
    for one, other in pairs:
        assert one.dtype == kind
        assert (one - other).norm() < 10 * TOLERANCE[kind] * other.norm()
        assert other.norm() > 1


def test_colours_of_a_smaller_type_are_taken() -> None:
    scene = soup(torch.float64)
    scene |= {name: scene[name].float().requires_grad_() for name in ("front", "back")}
    pooled = pool_samples(**scene, factor=2)
    pooled.sum().backward()
    assert pooled.dtype == torch.float64
    assert scene["front"].grad.dtype == torch.float32


def test_threads_change_nothing() -> None:
    scene = {name: tensor.numpy() for name, tensor in soup(torch.float32).items()}
    sides = np.stack((scene.pop("front"), scene.pop("back")), axis=1)
    slopes = np.random.default_rng(0).standard_normal((2, 5, 12, 18)).astype(np.float32)
    scene |= {"sides": sides, "factor": 2}
    one, two = (
        (sum_samples(**scene, threads=count), *sample_gradients(**scene, slopes=slopes, threads=count))
        for count in (1, 2)
    )
    assert all(np.array_equal(*both) for both in zip(one, two, strict=True))
