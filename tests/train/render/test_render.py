"""Projection, light and the whole render: properties, gradients, input that nobody should send."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from s2hand.datasets.cameras import project as project_numpy
from s2hand.train.render import render
from s2hand.train.render.camera import project
from s2hand.train.render.shading import Lights, shade, vertex_normals

AMBIENT = [1.0, 0.0, 1, 1, 1, 0, 0, 0, 0, 0, 1]
LIT = [0.4, 0.6, 1, 0.9, 0.8, 0.7, 1, 0.9, 0.3, -0.2, 0.9]
OPTIONS = {"image_size": (24, 32)}


@pytest.fixture
def sphere() -> dict[str, torch.Tensor]:
    """Two coloured balls half a metre away, in float64, faces turning outward."""
    rings, sectors = 9, 12
    polar, around = np.meshgrid(np.linspace(0.1, np.pi - 0.1, rings), np.arange(sectors) * 2 * np.pi / sectors)
    points = np.stack((np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)), -1)
    index = np.arange(rings * sectors).reshape(sectors, rings)
    here, down = index[:, :-1], index[:, 1:]
    beside, across = np.roll(index, -1, 0)[:, :-1], np.roll(index, -1, 0)[:, 1:]
    faces = np.concatenate((np.stack((here, down, beside), -1), np.stack((beside, down, across), -1)))
    vertices = 0.1 * points.reshape(1, -1, 3) + np.array([[[0.01, 0.0, 0.5]], [[-0.02, 0.01, 0.6]]])
    return {
        "vertices": torch.tensor(vertices),
        "faces": torch.tensor(faces.reshape(-1, 3)),
        "colors": torch.tensor(np.random.default_rng(0).uniform(0.2, 0.9, vertices.shape)),
        "K": torch.tensor([[[60.0, 0, 16], [0, 60, 12], [0, 0, 1]]] * 2, dtype=torch.float64),
        "lights": torch.tensor([LIT, LIT], dtype=torch.float64),
    }


def test_projection_is_that_of_the_data_sets() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((-0.2, -0.2, 0.4), (0.2, 0.2, 0.8), (2, 5, 3))
    K = np.array([[[480.0, 0.3, 112], [0, 470, 110], [0, 0, 1]], [[500.0, 0, 100], [0, 500, 120], [0, 0, 1]]])
    found = project(torch.tensor(points), torch.tensor(K)).numpy()
    assert np.allclose(found[..., :2], project_numpy(points, K), rtol=1e-12)
    assert np.array_equal(found[..., 2], points[..., 2])


def test_points_that_are_no_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"points_cam: expected \[B, N, 3\], found \[4, 3\]"):
        project(torch.zeros(4, 3), torch.eye(3)[None])


@pytest.mark.parametrize("z", [0.0, -0.3, 1e-20])
def test_projection_behind_the_camera_is_finite_and_says_so(z: float) -> None:
    points = torch.tensor([[[0.1, 0.2, z]]], requires_grad=True)
    found = project(points, torch.eye(3)[None])
    found.sum().backward()
    assert found.isfinite().all()
    assert found[0, 0, 2] == z
    assert points.grad.isfinite().all()


def test_normals_point_outward_and_survive_a_collapse(sphere: dict[str, torch.Tensor]) -> None:
    vertices = sphere["vertices"]
    outward = torch.nn.functional.normalize(vertices - vertices.mean(1, keepdim=True), dim=-1)
    assert ((vertex_normals(vertices, sphere["faces"]) * outward).sum(-1) > 0.9).all()
    collapsed = torch.zeros_like(vertices).requires_grad_()
    normals = vertex_normals(collapsed, sphere["faces"])
    normals.sum().backward()
    assert not normals.any()
    assert collapsed.grad.isfinite().all()


def test_light_that_travels_forward_lights_what_faces_the_camera() -> None:
    normals = torch.tensor([[[0.0, 0, -1], [0, 0, 1], [0, -1, 0]]])
    code = torch.tensor([[0.5, 2.0, 1, 0.5, 0, 0, 0.1, 1, 0, 0, 3.0]])
    lit = shade(torch.ones(1, 3, 3), normals, Lights.from_code(code))
    ambient = [0.5, 0.25, 0]
    torch.testing.assert_close(lit[0], torch.tensor([[0.5, 0.85, 6], ambient, ambient]))


def test_the_light_code_has_eleven_numbers() -> None:
    with pytest.raises(ValueError, match=r"lights: expected \[B, 11\], found \[2, 10\]"):
        Lights.from_code(torch.zeros(2, 10))


def test_shapes_types_and_background(sphere: dict[str, torch.Tensor]) -> None:
    image = render(**{key: value.float() for key, value in sphere.items() if key != "faces"}, faces=sphere["faces"])
    assert image.rgb.shape == (2, 3, 224, 224)
    assert image.silhouette.shape == image.depth.shape == (2, 224, 224)
    assert {part.dtype for part in vars(image).values()} == {torch.float32}
    empty = image.silhouette == 0
    assert (image.rgb.movedim(1, -1)[empty] == 1).all()
    assert (image.depth[empty] == 0).all()
    assert image.depth[~empty].min() > 0.39


def test_backgrounds_show_where_the_mesh_does_not(sphere: dict[str, torch.Tensor]) -> None:
    picture = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    on_black = render(**sphere, **OPTIONS, background=(0.0, 0.0, 0.0))
    on_blue = render(**sphere, **OPTIONS, background=(0.0, 0.0, 1.0))
    on_picture = render(**sphere, **OPTIONS, background=picture)
    rest = 1 - on_black.silhouette[:, None]
    torch.testing.assert_close(on_blue.rgb, on_black.rgb + rest * torch.tensor([0, 0, 1]).view(3, 1, 1))
    torch.testing.assert_close(on_picture.rgb, on_black.rgb + rest * picture)


@pytest.mark.parametrize("factor", [2, 3])
def test_supersampling_is_the_mean_of_a_larger_render(sphere: dict[str, torch.Tensor], factor: int) -> None:
    small = render(**sphere, **OPTIONS, supersampling=factor)
    sphere["K"] = sphere["K"] * torch.tensor([[factor], [factor], [1]])
    large = render(**sphere, image_size=(24 * factor, 32 * factor), supersampling=1)
    mean = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(small.rgb, mean(large.rgb, factor))
    torch.testing.assert_close(small.silhouette, mean(large.silhouette, factor))
    torch.testing.assert_close(small.depth * small.silhouette, mean(large.depth, factor))


def test_colours_are_mixed_on_the_surface_not_on_the_screen() -> None:
    """A colour that is a linear function of the position in space stays one, however steep the surface."""
    vertices = torch.tensor([[[-0.5, -0.4, 0.4], [0.1, 0.5, 0.9], [1.6, -1.0, 2.5]]], dtype=torch.float64)
    K = torch.tensor([[[20.0, 0, 16], [0, 20, 12], [0, 0, 1]]], dtype=torch.float64)
    image = render(
        vertices,
        torch.tensor([[0, 1, 2]]),
        vertices,
        K,
        torch.tensor([AMBIENT], dtype=torch.float64),
        **OPTIONS,
        supersampling=1,
    )
    rows, columns = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    rays = torch.stack(((columns - 16) / 20, (rows - 12) / 20, torch.ones(24, 32)))
    inside = image.silhouette[0] > 0
    assert inside.sum() > 50
    torch.testing.assert_close(image.rgb[0][:, inside], (image.depth[0] * rays)[:, inside])


def test_both_sides_are_lit_by_the_light_that_falls_on_them(sphere: dict[str, torch.Tensor]) -> None:
    sphere["lights"] = torch.tensor([[0.0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1]] * 2, dtype=torch.float64)
    outside = render(**sphere, **OPTIONS)
    sphere["faces"] = sphere["faces"].flip(1)
    inside_out = render(**sphere, **OPTIONS)
    torch.testing.assert_close(outside.rgb, inside_out.rgb)
    assert outside.rgb[:, :, 12, 16].min() > 0.1


@pytest.mark.parametrize("name", ["colors", "lights"])
def test_gradients_of_colour_and_light(sphere: dict[str, torch.Tensor], name: str) -> None:
    def draw(values: torch.Tensor) -> torch.Tensor:
        return render(**sphere | {name: values}, image_size=(8, 10), supersampling=2).rgb

    sphere["K"] = sphere["K"] * torch.tensor([[1 / 3], [1 / 3], [1]])
    assert torch.autograd.gradcheck(draw, sphere[name].requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("name", ["vertices", "K"])
def test_gradients_of_position_inside_a_face(name: str) -> None:
    """The triangle is larger than the image: no silhouette moves."""
    inputs = {
        "vertices": torch.tensor([[[-9.0, -7, 0.9], [0.5, 12, 1.1], [11, -8, 1.4]]], dtype=torch.float64),
        "colors": torch.tensor([[[1.0, 0.2, 0.5], [0.4, 0.8, 0.1], [0.3, 0.6, 0.9]]], dtype=torch.float64),
        "K": torch.tensor([[[5.0, 0.1, 4], [0, 6, 3], [0, 0, 1]]], dtype=torch.float64),
        "lights": torch.tensor([LIT], dtype=torch.float64),
    }

    def draw(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        image = render(**inputs | {name: values}, faces=torch.tensor([[0, 1, 2]]), image_size=(6, 8))
        assert (image.silhouette == 1).all()
        return image.rgb, image.depth

    assert torch.autograd.gradcheck(draw, inputs[name].requires_grad_())


@pytest.mark.parametrize(
    "damage",
    ["behind", "outside", "point", "line", "nan", "one nan", "infinite", "huge", "straddling"],
)
def test_damaged_meshes_give_finite_values_and_gradients(sphere: dict[str, torch.Tensor], damage: str) -> None:
    vertices = sphere["vertices"].float()
    centre = vertices.mean(1, keepdim=True)
    damaged = {
        "behind": vertices * torch.tensor([1, 1, -1]),
        "outside": vertices + torch.tensor([5.0, 0, 0]),
        "point": centre.expand_as(vertices),
        "line": torch.cat((centre[..., :2].expand_as(vertices[..., :2]), vertices[..., 2:]), dim=-1),
        "nan": torch.full_like(vertices, torch.nan),
        "one nan": vertices.index_fill(1, torch.tensor([40]), torch.nan),
        "infinite": vertices.index_fill(1, torch.tensor([40]), torch.inf),
        "huge": vertices * 1e20,
        "straddling": vertices - torch.tensor([0, 0, 0.5]),
    }[damage].requires_grad_()
    rest = {key: sphere[key].float().requires_grad_() for key in ("colors", "lights")}
    image = render(damaged, sphere["faces"], K=sphere["K"].float(), **rest, **OPTIONS)
    loss = (image.rgb.sin() + image.depth[:, None].sin()).sum()
    loss.backward()
    for part in (*vars(image).values(), damaged.grad, *(tensor.grad for tensor in rest.values())):
        assert part.isfinite().all()
    drawn = damage in ("one nan", "infinite")
    assert bool(image.silhouette.any()) == drawn or damage == "straddling"


def test_render_is_deterministic(sphere: dict[str, torch.Tensor]) -> None:
    results = []
    for threads in (1, 2, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        vertices = sphere["vertices"].float().requires_grad_()
        image = render(vertices, **{k: v if k == "faces" else v.float() for k, v in sphere.items() if k != "vertices"})
        image.rgb.square().sum().backward()
        torch.set_num_threads(before)
        results.append((image.rgb.detach(), vertices.grad))
    for rgb, gradient in results[1:]:
        assert torch.equal(rgb, results[0][0])
        torch.testing.assert_close(gradient, results[0][1], rtol=1e-5, atol=1e-4)
    assert torch.equal(results[1][1], results[2][1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colors": torch.zeros(2, 5, 3)}, r"colors: expected \[2, 108, 3\], found \[2, 5, 3\]"),
        ({"lights": torch.zeros(1, 11)}, r"lights: expected \[2, 11\], found \[1, 11\]"),
        ({"K": torch.zeros(3, 3)}, r"K: expected \[2, 3, 3\], found \[3, 3\]"),
        ({"faces": torch.tensor([[0, 1, 108]])}, "indices from 0 to 107, found 0 to 108"),
        ({"supersampling": 0}, "supersampling: expected 1, 2, ..., found 0"),
        (
            {"vertices": torch.zeros(108, 3), "colors": torch.zeros(108, 3)},
            r"vertices: expected \[B, V, 3\], found \[108, 3\]",
        ),
        ({"faces": torch.zeros(4, 2, dtype=torch.long)}, r"faces: expected \[F, 3\], found \[4, 2\]"),
    ],
)
def test_wrong_input_is_named(sphere: dict[str, torch.Tensor], changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(**sphere | changes, **OPTIONS)


def test_importing_render_loads_neither_torch_nor_numba() -> None:
    code = "import sys; from s2hand.train import render; sys.exit(bool({'torch', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_render_is_the_function_whatever_was_imported_first() -> None:
    importlib.import_module("s2hand.train.render.image")
    assert importlib.import_module("s2hand.train").render is render
