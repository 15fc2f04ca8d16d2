"""The fast rasterizer against its readable twin: values, gradients, rules."""

import numpy as np
import pytest
import torch

from s2hand.train.render.rasterize import Fragments, rasterize
from s2hand.train.render.reference import rasterize as rasterize_slowly

SIZE = (30, 41)
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


def soup(seed: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two heaps of triangles: large ones, slivers, some out of the image, some behind the camera."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-20, -20, -0.2), (60, 50, 2.0), (2, 50, 3))
    points[:, ::7, :2] = np.round(points[:, ::7, :2]) + 0.5  # corners and edges on the pixels' centres
    points[:, 1:8, 2] = 0.8  # faces at one depth
    return torch.tensor(points, dtype=dtype), torch.tensor(rng.integers(0, 50, (20, 3)))


def both(vertices: torch.Tensor, faces: torch.Tensor, **options: float) -> tuple[Fragments, Fragments]:
    return rasterize(vertices, faces, SIZE, **options), rasterize_slowly(vertices, faces, SIZE, **options)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", [{}, {"cull": True}, {"near": 0.9, "far": 1.3}])
def test_values_agree(seed: int, dtype: torch.dtype, options: dict[str, float]) -> None:
    fast, slow = both(*soup(seed, dtype), **options)
    assert torch.equal(fast.face_index, slow.face_index)
    assert 0.1 < (fast.face_index >= 0).float().mean() < 1
    assert fast.barycentrics.dtype == slow.depth.dtype == dtype
    torch.testing.assert_close(fast.barycentrics, slow.barycentrics, rtol=0, atol=TOLERANCE[dtype])
    torch.testing.assert_close(fast.depth, slow.depth, rtol=TOLERANCE[dtype], atol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_values_do_not_depend_on_whether_gradients_are_asked_for(dtype: torch.dtype) -> None:
    vertices, faces = soup(5, dtype)
    plain = rasterize(vertices, faces, SIZE)
    tracked = rasterize(vertices.requires_grad_(), faces, SIZE)
    assert not plain.depth.requires_grad
    assert tracked.depth.requires_grad
    torch.testing.assert_close(plain.barycentrics, tracked.barycentrics, rtol=0, atol=TOLERANCE[dtype])
    torch.testing.assert_close(plain.depth, tracked.depth, rtol=TOLERANCE[dtype], atol=0)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("output", ["barycentrics", "depth"])
def test_gradients_agree(dtype: torch.dtype, output: str) -> None:
    vertices, faces = soup(7, dtype)
    vertices.requires_grad_()
    gradients = []
    for fragments in both(vertices, faces):
        found = getattr(fragments, output)
        weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
        gradients += torch.autograd.grad((found * weights).sum(), vertices)
    fast, slow = gradients
    assert slow.norm() > 0.1
    assert (fast - slow).norm() < 10 * TOLERANCE[dtype] * slow.norm()


def test_gradient_of_depth_is_that_of_its_finite_differences() -> None:
    """On one large triangle no pixel changes its face."""
    vertices = torch.tensor([[[-50, -40, 0.5], [90, -30, 0.8], [10, 95, 1.2]]], dtype=torch.float64)
    faces = torch.tensor([[0, 2, 1]])

    def outputs(moved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fragments = rasterize(moved, faces, (6, 7))
        return fragments.barycentrics, fragments.depth

    assert torch.autograd.gradcheck(outputs, vertices.requires_grad_(), eps=1e-5, atol=1e-7)


def test_the_twin_takes_nothing_and_empty_meshes() -> None:
    fast, slow = both(torch.zeros(1, 4, 3), torch.zeros(0, 3, dtype=torch.long))
    assert (fast.face_index == -1).all()
    assert torch.equal(fast.face_index, slow.face_index)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face_index": torch.zeros(1, 2, 3)}, r"face_index: expected \[B, H, W\] int32"),
        ({"barycentrics": torch.zeros(1, 2, 3)}, r"barycentrics: expected \[1, 2, 3, 3\], found \[1, 2, 3\]"),
        ({"depth": torch.zeros(2, 3)}, r"depth: expected \[1, 2, 3\], found \[2, 3\]"),
    ],
)
def test_fragments_check_themselves(changes: dict[str, torch.Tensor], message: str) -> None:
    parts = {
        "face_index": torch.zeros(1, 2, 3, dtype=torch.int32),
        "barycentrics": torch.zeros(1, 2, 3, 3),
        "depth": torch.zeros(1, 2, 3),
    }
    with pytest.raises(ValueError, match=message):
        Fragments(**parts | changes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu_stay_there() -> None:
    vertices, faces = soup(1, torch.float32)
    here, there = (rasterize(vertices.to(device), faces.to(device), SIZE) for device in ("cpu", "cuda"))
    assert there.depth.is_cuda
    assert torch.equal(here.face_index, there.face_index.cpu())
