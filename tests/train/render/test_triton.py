"""The kernels for the GPU against those for the CPU.

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

from s2hand.train import load_hand_model, render
from s2hand.train.render.camera import project
from s2hand.train.render.edge_kernels import edge_gradients
from s2hand.train.render.kernels import rasterize_batch
from s2hand.train.render.rasterize import rasterize
from s2hand.train.render.topology import mesh_topology

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
on_kernels = pytest.mark.skipif(not (INTERPRETED or torch.cuda.is_available()), reason="needs a GPU or the interpreter")
on_gpu = pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(autouse=True)
def _divisions_by_zero_are_silent_as_on_a_gpu():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.skipif(INTERPRETED, reason="that is what happens now")
@pytest.mark.parametrize("what", ["rasterizer", "edges"])
def test_the_kernels_in_the_interpreter(what: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", what, __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    root = Path(__file__).parents[3]
    result = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(INTERPRETED, reason="needs the compiler")
def test_the_kernels_compile_for_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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
        if kernel.__name__ == "_count":
            args[1].fill_(1)  # so that there is something to list

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(JITFunction, "run", compile_only)
    monkeypatch.setattr(triton.runtime.driver, "_active", Driver())
    from s2hand.train.render.triton_edges import edge_gradients_on_gpu
    from s2hand.train.render.triton_raster import rasterize_on_gpu

    mesh, faces, *scene = tetrahedra()
    rasterize_on_gpu(mesh, faces, (10, 36))
    edge_gradients_on_gpu(mesh, mesh_topology(faces), *scene)
    assert set(compiled) == {"_count", "_list", "_draw_tile", "_sum_jumps"}
    for name, kernel in compiled.items():
        assert kernel.asm["cubin"], name
        # Two faces at an edge must see opposite numbers there: no product may be rounded with its sum only.
        assert "fma" not in kernel.asm["ptx"], name


def soup(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two heaps of triangles: large ones, slivers, copies, some out of the image, behind the camera, no numbers."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-20, -20, -0.2), (60, 50, 2.0), (2, 50, 3))
    points[:, ::7, :2] = np.round(points[:, ::7, :2]) + 0.5  # corners and edges on the pixels' centres
    points[:, 1:8, 2] = 0.8  # faces at one depth
    points[0, 8, 0], points[1, 9, 1], points[0, 10, 2], points[1, 11, 0] = np.nan, np.inf, -np.inf, 1e30
    faces = rng.integers(0, 50, (30, 3))
    faces[-6:] = np.roll(faces[:6], 1, axis=1)
    return torch.tensor(points, dtype=torch.float32), torch.tensor(faces)


def check_rasterizer(vertices: torch.Tensor, faces: torch.Tensor, size: tuple[int, int], *options: float) -> None:
    """Compare faces, which must be equal, barycentric coordinates and depth."""
    from s2hand.train.render.triton_raster import rasterize_on_gpu

    expected = map(torch.from_numpy, rasterize_batch(vertices.numpy(), faces.numpy(), *size, *options))
    found = rasterize_on_gpu(vertices.to(DEVICE), faces.to(DEVICE), size, *options)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-6, atol=1e-6)


@on_kernels
@pytest.mark.parametrize("options", [(), (True,), (False, 0.9, 1.3)])
def test_the_rasterizer_agrees(options: tuple[float, ...]) -> None:
    check_rasterizer(*soup(len(options)), (30, 41), *options)


@on_kernels
@pytest.mark.parametrize("z", [np.float32(0.1), np.float32(100.0)])
def test_the_rasterizer_has_the_same_limits_of_depth(z: float) -> None:
    flat = torch.tensor([[[0.5, 7.5, z], [7.5, 7.5, z], [0.5, 0.5, z]]])
    check_rasterizer(flat, torch.tensor([[0, 1, 2]]), (8, 8))


@on_kernels
@pytest.mark.parametrize(("batch", "faces", "size"), [(0, 1, (8, 8)), (1, 0, (8, 8)), (1, 1, (0, 8))])
def test_the_rasterizer_takes_nothing(batch: int, faces: int, size: tuple[int, int]) -> None:
    check_rasterizer(torch.ones(batch, 3, 3), torch.arange(3).expand(faces, 3), size)


def tetrahedra() -> tuple[torch.Tensor, ...]:
    """Two images of three small tetrahedra: one before another, one reaching out of the image, some not drawn."""
    rng = np.random.default_rng(1)
    corners = np.array([[0, 0, 0], [3, 0.5, 0.1], [1, 2.5, 0.1], [1.5, 1, -0.2]])
    places = np.array([[14.3, 2.2, 1.0], [15.6, 3.4, 1.6], [33.7, 3.5, 1.0]])
    mesh = (corners + places[:, None]).reshape(-1, 3)
    mesh = np.stack([mesh, mesh * [-0.4, 0.6, 1] + [15, 1, 0]])
    mesh[1, 1, 0], mesh[1, 4:, 2] = np.nan, -1.0
    corner = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    faces = np.concatenate([corner, corner[1:] + 4, corner + 8])  # the second is open
    sides, background = rng.random((2, 2, 12, 3)), rng.random((1, 3, 10, 36))
    arrays = mesh, faces, *sides, background, rng.standard_normal((2, 4, 10, 36))
    return tuple(torch.tensor(array) if array is faces else torch.tensor(array).float() for array in arrays)


@on_kernels
def test_gradients_of_edges_agree() -> None:
    from s2hand.train.render.triton_edges import edge_gradients_on_gpu

    mesh, faces, *scene = tetrahedra()
    expected = edge_gradients(mesh.numpy(), faces.numpy(), *(tensor.numpy() for tensor in scene))
    mesh, faces, *scene = (tensor.to(DEVICE) for tensor in (mesh, faces, *scene))
    found = edge_gradients_on_gpu(mesh, mesh_topology(faces), *scene)
    assert abs(expected).max() > 1
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-6, atol=1e-9)


def hands(device: str) -> dict[str, torch.Tensor]:
    """Four open hands that fill a good part of images of 224 x 224."""
    generator = torch.Generator().manual_seed(0)
    hand = load_hand_model("open")
    mesh = hand(torch.randn(4, 10, generator=generator), rotation=torch.randn(4, 3, generator=generator))
    vertices = mesh.vertices - mesh.vertices.mean(1, keepdim=True) + torch.tensor([0, 0, 0.55])
    scene = {
        "vertices": vertices.detach(),
        "faces": hand.faces,
        "colors": torch.rand(vertices.shape, generator=generator),
        "K": torch.tensor([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]]).expand(4, 3, 3),
        "lights": torch.tensor([0.6, 0.6, 1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.2, -0.3, 0.9]).expand(4, 11),
    }
    return {name: tensor.to(device) for name, tensor in scene.items()}


@on_gpu
def test_hands_are_drawn_alike_on_both_devices() -> None:
    scene = hands("cpu")
    check_rasterizer(project(scene["vertices"], scene["K"]), scene["faces"], (224, 224))


@on_gpu
@pytest.mark.parametrize("supersampling", [1, 2])
def test_gradients_of_hands_are_alike_on_both_devices(supersampling: int) -> None:
    gradients = []
    for device in ("cpu", "cuda"):
        scene = hands(device)
        # One projection for both: its rounding would move faces across the centres of samples.
        scene = {
            name: tensor if name == "faces" else tensor.double().requires_grad_() for name, tensor in scene.items()
        }
        image = render(**scene, supersampling=supersampling)
        weights = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(1)).to(device)
        ((image.rgb * weights).sum() + image.silhouette.square().sum() + image.depth.sum()).backward()
        gradients.append([scene[name].grad.cpu() for name in ("vertices", "colors", "K", "lights")])
    for one, other in zip(*gradients, strict=True):
        assert (one - other).norm() < 1e-6 * other.norm()


@on_gpu
def test_faces_of_another_mesh_are_refused_on_the_gpu() -> None:
    with pytest.raises(ValueError, match="expected indices from 0 to 2, found 0 to 3"):
        rasterize(torch.ones(1, 3, 3, device="cuda"), torch.tensor([[0, 1, 3]], device="cuda"), (8, 8))


def test_the_topology_of_the_same_faces_is_worked_out_once() -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    topology = mesh_topology(faces)
    assert mesh_topology(faces) is topology
    faces[1, 2] = 4
    assert mesh_topology(faces).highest == 4
    assert topology.highest == 3


@pytest.mark.parametrize(("faces", "message"), [([[0, 1, 3]], "found 0 to 3"), ([[-1, 1, 2]], "found -1 to 2")])
def test_the_topology_of_another_mesh_is_refused(faces: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mesh_topology(torch.tensor(faces)).check(torch.ones(1, 3, 3))


def test_the_topology_of_what_is_no_mesh_is_refused() -> None:
    with pytest.raises(ValueError, match=r"faces: expected \[F, 3\], found \[4, 2\]"):
        mesh_topology(torch.zeros(4, 2, dtype=torch.long))
    with pytest.raises(ValueError, match=r"vertices_px: expected \[B, V, 3\], found \[3, 3\]"):
        mesh_topology(torch.tensor([[0, 1, 2]])).check(torch.ones(3, 3))


def test_importing_the_renderer_and_drawing_on_the_cpu_need_no_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None; import torch; from s2hand.train.render import render;"
        "x = torch.rand(1, 3, 3, requires_grad=True);"
        "render(x, torch.tensor([[0, 1, 2]]), x, torch.eye(3)[None], torch.ones(1, 11), (4, 4)).rgb.sum().backward()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
