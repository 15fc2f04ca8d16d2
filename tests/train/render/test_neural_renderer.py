"""Agreement with neural_renderer, whose outputs on random meshes are stored in ../reference/render_*.npz.

Produced by its kernels, compiled unchanged for the CPU (b2a1e6ce, lighting of TerenceCYJ's fork 6425594e). It
draws the list of faces twice, the second time reversed, and leaves out what turns its back (`fill_back`); its
background is at depth 100. Its colours at texture size 1 leak by up to 0.004 from one face to the next.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2hand.train.render import render
from s2hand.train.render.camera import project
from s2hand.train.render.rasterize import rasterize
from s2hand.train.render.shading import Lights, shade, vertex_normals

REFERENCE = Path(__file__).parents[1] / "reference"
LEAK = 0.004
FAR = 100.0
CASES = [("scene", 1), ("scene", 2), ("mano", 2)]
MICRO = [f"m{number}" for number in range(9)]


@pytest.fixture(scope="module")
def scenes() -> dict[str, np.ndarray]:
    with np.load(REFERENCE / "render_scenes.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def micro() -> dict[str, np.ndarray]:
    with np.load(REFERENCE / "render_micro.npz") as file:
        return dict(file)


def read(scenes: dict[str, np.ndarray], name: str, dtype: torch.dtype = torch.float32) -> SimpleNamespace:
    """Return a scene's inputs, and the mesh with corners of its own for every face, each in the face's colour."""
    tensors = {
        key: torch.tensor(scenes[f"{name}_{key}"]).to(dtype) for key in ("vertices", "K", "lights", "face_colors")
    }
    faces = torch.tensor(scenes[f"{name}_faces"]).long()
    return SimpleNamespace(
        **tensors,
        faces=faces,
        doubled=torch.cat((faces, faces.flip(1))),
        loose_faces=torch.arange(faces.numel()).view(-1, 3),
        loose_colors=tensors["face_colors"].repeat_interleave(3, dim=1),
    )


def crop(scenes: dict[str, np.ndarray], image: torch.Tensor) -> torch.Tensor:
    row, column, size = (int(scenes[f"crop_{key}"]) for key in ("row", "column", "size"))
    return image[..., row : row + size, column : column + size]


def fragments_of(scene: SimpleNamespace, factor: int, faces: torch.Tensor, cull: bool):
    vertices_px = project(scene.vertices, scene.K) * scene.vertices.new_tensor((factor, factor, 1))
    return rasterize(vertices_px, faces, (224 * factor, 224 * factor), cull)


def key_of(factor: int) -> str:
    return "noaa" if factor == 1 else "aa"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "factor"), CASES)
def test_face_index_is_equal(scenes: dict[str, np.ndarray], name: str, factor: int, dtype: torch.dtype) -> None:
    scene = read(scenes, name, dtype)
    expected = torch.tensor(scenes[f"{name}_{key_of(factor)}_face_index"])
    doubled = fragments_of(scene, factor, scene.doubled, cull=True).face_index
    assert torch.equal(doubled, expected.int())
    both_sides = fragments_of(scene, factor, scene.faces, cull=False).face_index
    assert torch.equal(both_sides, torch.where(expected < 0, -1, expected % len(scene.faces)).int())


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_depth_is_equal(scenes: dict[str, np.ndarray], name: str, factor: int) -> None:
    fragments = fragments_of(read(scenes, name), factor, read(scenes, name).faces, cull=False)
    depth = torch.where(fragments.face_index < 0, FAR, fragments.depth)
    expected = torch.tensor(scenes[f"{name}_{key_of(factor)}_depth_crop"])
    torch.testing.assert_close(crop(scenes, F.avg_pool2d(depth, factor)), expected, rtol=0, atol=2e-5)


def test_barycentrics_are_equal(scenes: dict[str, np.ndarray]) -> None:
    """Its own are the product of a float32 inverse: good to 3e-6 in the middle, to 5e-4 at worst."""
    scene = read(scenes, "scene")
    fragments = fragments_of(scene, 1, scene.doubled, cull=True)
    found = crop(scenes, fragments.barycentrics.movedim(-1, 1)).movedim(1, -1)
    inside = crop(scenes, fragments.face_index) >= 0
    error = (found - torch.tensor(scenes["scene_noaa_bary_crop"])).abs()[inside]
    assert error.median() < 5e-6
    assert error.max() < 1e-3


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_light_and_colour_are_equal(scenes: dict[str, np.ndarray], name: str, factor: int) -> None:
    """Face normals are those of corners of their own; neural_renderer shortens those of small faces."""
    scene = read(scenes, name)
    expected = torch.tensor(scenes[f"{name}_lit_colors"])
    normals = vertex_normals(scene.vertices[:, scene.faces].flatten(1, 2), scene.loose_faces, floor=1e-5)
    lights = Lights.from_code(scene.lights)
    lit = torch.cat([shade(scene.loose_colors, side * normals, lights)[:, ::3] for side in (1, -1)], dim=1)
    torch.testing.assert_close(lit, expected, rtol=0, atol=1e-6)

    face_index = fragments_of(scene, factor, scene.doubled, cull=True).face_index
    image = torch.where(face_index[..., None] < 0, 1.0, lit[0, face_index.clamp(min=0).long()])
    found = crop(scenes, F.avg_pool2d(image.movedim(-1, 1), factor))
    error = (found - torch.tensor(scenes[f"{name}_{key_of(factor)}_rgb_crop"])).abs()
    assert error.max() < LEAK


@pytest.mark.parametrize("factor", [1, 2])
def test_whole_render_is_equal(scenes: dict[str, np.ndarray], factor: int) -> None:
    scene = read(scenes, "scene")
    image = render(
        scene.vertices[:, scene.faces].flatten(1, 2),
        scene.loose_faces,
        scene.loose_colors,
        scene.K,
        scene.lights,
        supersampling=factor,
    )
    error = (crop(scenes, image.rgb) - torch.tensor(scenes[f"scene_{key_of(factor)}_rgb_crop"])).abs()
    assert error.max() < LEAK
    covered = torch.tensor(scenes[f"scene_{key_of(factor)}_face_index"])[:, None] >= 0
    assert torch.equal(image.silhouette, F.avg_pool2d(covered.float(), factor)[:, 0])


def test_gradient_of_depth_is_equal(scenes: dict[str, np.ndarray]) -> None:
    """The only gradient of positions that is exact there: through the projection to the vertices, in float64."""
    scene = read(scenes, "scene", torch.float64)
    vertices = scene.vertices.requires_grad_()
    loose = vertices[:, scene.faces].flatten(1, 2)
    image = render(loose, scene.loose_faces, scene.loose_colors, scene.K, scene.lights, supersampling=1)
    (image.depth * torch.tensor(scenes["scene_w_depth"]) / 64).sum().backward()
    expected = torch.tensor(scenes["scene_noaa_grad_v_depth_f64"])
    assert (vertices.grad - expected).norm() < 1e-6 * expected.norm()


def test_gradients_of_colours_and_lights_are_equal(scenes: dict[str, np.ndarray]) -> None:
    scene = read(scenes, "scene")
    colors, lights = scene.loose_colors.requires_grad_(), scene.lights.requires_grad_()
    loose = scene.vertices[:, scene.faces].flatten(1, 2)
    image = render(loose, scene.loose_faces, colors, scene.K, lights, supersampling=1)
    (image.rgb * torch.tensor(scenes["scene_w_rgb"]) / 64).sum().backward()
    per_face = colors.grad.unflatten(1, (-1, 3)).sum(2)
    for found, name in ((per_face, "tex"), (lights.grad, "lights")):
        expected = torch.tensor(scenes[f"scene_noaa_grad_{name}_rgb"])
        assert (found - expected).norm() < 2 * LEAK * expected.norm()


def micro_case(micro: dict[str, np.ndarray], name: str, dtype: torch.dtype):
    """Return a case's vertices in pixels, one set of corners per face, its faces and its size."""
    corners = torch.tensor(micro[f"{name}_faces"], dtype=dtype)
    size = micro[f"{name}_face_index"].shape[0]
    vertices = corners.flatten(0, 1)[None].requires_grad_()
    half = size / 2
    vertices_px = torch.stack((half * (1 + vertices[..., 0]), half * (1 - vertices[..., 1]), vertices[..., 2]), dim=-1)
    return vertices, vertices_px, torch.arange(vertices.shape[1]).view(-1, 3), size


@pytest.mark.parametrize("name", MICRO)
def test_each_rule(micro: dict[str, np.ndarray], name: str) -> None:
    _, vertices_px, faces, size = micro_case(micro, name, torch.float32)
    near, far = micro[f"{name}_near_far"]
    found = rasterize(vertices_px.detach(), faces, (size, size), cull=True, near=near, far=far)
    face_index, barycentrics, depth = (part[0].flip(0).numpy() for part in vars(found).values())
    inside = face_index >= 0
    assert np.array_equal(face_index, micro[f"{name}_face_index"])
    assert np.allclose(barycentrics[inside], micro[f"{name}_bary"][inside], rtol=0, atol=2e-6)
    assert np.allclose(np.where(inside, depth, far), micro[f"{name}_depth"], rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", MICRO)
def test_each_gradient_of_depth(micro: dict[str, np.ndarray], name: str) -> None:
    vertices, vertices_px, faces, size = micro_case(micro, name, torch.float64)
    near, far = micro[f"{name}_near_far"]
    depth = rasterize(vertices_px, faces, (size, size), cull=True, near=near, far=far).depth
    (depth[0].flip(0) * torch.tensor(micro[f"{name}_g_depth"])).sum().backward()
    expected = micro[f"{name}_gradfaces_depth_f64"]
    assert np.linalg.norm(vertices.grad[0].numpy().reshape(-1, 3, 3) - expected) <= 1e-6 * np.linalg.norm(expected)


def test_depth_of_one_pixel() -> None:
    """The case of neural_renderer's own test of depth: value and gradient of (depth - 1)^2 at row 15, column 20."""
    ndc = torch.tensor([[[-0.9, -0.9, 2.0], [-0.8, 0.8, 1.0], [0.8, 0.8, 0.5]]], requires_grad=True)
    u, v, z = ndc.unbind(-1)
    vertices_px = torch.stack((32 * (1 + u), 32 * (1 - v), z), dim=-1)
    depth = rasterize(vertices_px, torch.tensor([[0, 1, 2]]), (64, 64)).depth[0, 15, 20]
    ((depth - 1) ** 2).backward()
    expected = [
        [-0.0243338, -0.0100198, -0.0097335],
        [-0.0795528, -0.0327570, -0.1272844],
        [-0.0415814, -0.0171217, -0.2661207],
    ]
    assert depth.item() == pytest.approx(0.8318042755, abs=1e-6)
    torch.testing.assert_close(ndc.grad[0], torch.tensor(expected), rtol=0, atol=2e-6)
