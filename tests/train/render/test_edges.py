"""The gradient of silhouettes and occlusions, against areas known exactly and against differences of fine images."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2hand.train import load_hand_model, render
from s2hand.train.render.edge_kernels import edge_gradients, edge_topology

AMBIENT = torch.tensor([1.0, 0.0, 1, 1, 1, 0, 0, 0, 0, 0, 1], dtype=torch.float64)
K = torch.tensor([[60.0, 0, 16], [0, 60, 12], [0, 0, 1]], dtype=torch.float64)
SIZE = (24, 32)


def corners(uv, z):
    """Points in camera space, metres, that are seen at pixels uv, at depth z."""
    uv = torch.as_tensor(uv, dtype=torch.float64)
    return torch.cat([(uv - K[:2, 2]) / 60 * z, torch.full((len(uv), 1), z, dtype=torch.float64)], dim=1)


def shown(vertices, faces, colors, **options):
    options = {"image_size": SIZE, "background": (0.0, 0.0, 0.0)} | options
    batch = len(vertices)
    return render(vertices, faces, colors, K.expand(batch, 3, 3), AMBIENT.expand(batch, 11), **options)


def gradient_px(vertices, image):
    """Gradient of a sum of the image's values at u, v of the vertices: d/du = z / f d/dx at a fixed depth."""
    (gradient,) = torch.autograd.grad(image, vertices)
    return gradient[..., :2] * vertices.detach()[..., 2:] / 60


def area_gradient(uv):
    """Of the area of a polygon in pixels, by its corners."""
    uv = torch.tensor(uv, dtype=torch.float64, requires_grad=True)
    x, y = uv.T
    area = ((x * y.roll(-1) - y * x.roll(-1)).sum() / 2).abs()
    return torch.autograd.grad(area, uv)[0]


@pytest.mark.parametrize("uv", [[[3.2, 4.1], [25.7, 8.3], [11.4, 20.9]], [[3.2, 4.1], [11.4, 20.9], [25.7, 8.3]]])
def test_the_silhouette_grows_as_the_triangles_area(uv):
    vertices = corners(uv, 0.7)[None].requires_grad_()
    image = shown(vertices, torch.tensor([[0, 1, 2]]), torch.ones(1, 3, 3, dtype=torch.float64))
    torch.testing.assert_close(gradient_px(vertices, image.silhouette.sum())[0], area_gradient(uv))


def test_only_what_is_inside_the_image_counts():
    vertices = corners([[-20.0, 5.0], [60.0, 5.0], [20.0, -90.0]], 0.7)[None].requires_grad_()
    image = shown(vertices, torch.tensor([[0, 1, 2]]), torch.ones(1, 3, 3, dtype=torch.float64))
    down = gradient_px(vertices, image.silhouette.sum())[0, :, 1]
    # The lower edge crosses the whole width of 32 pixels, whose middle is 36 / 80 of the way along it.
    torch.testing.assert_close(down, torch.tensor([32 * 0.55, 32 * 0.45, 0.0], dtype=torch.float64))


def two_squares(front_z=0.5, back_z=0.8):
    """A square of 8 pixels, half of it before a larger one; colours (0.9, 0.2, 0.4) and (0.1, 0.6, 0.3)."""
    near = corners([[4.0, 8.0], [12.0, 8.0], [12.0, 16.0], [4.0, 16.0]], front_z)
    far = corners([[8.0, 2.0], [28.0, 2.0], [28.0, 22.0], [8.0, 22.0]], back_z)
    quads = torch.tensor([[0, 1, 2], [0, 2, 3]])
    colors = torch.tensor([[0.9, 0.2, 0.4]] * 4 + [[0.1, 0.6, 0.3]] * 4, dtype=torch.float64)[None]
    return torch.cat([near, far])[None].requires_grad_(), torch.cat([quads, quads + 4]), colors


def test_an_edge_before_another_surface_trades_their_colours():
    vertices, faces, colors = two_squares()
    image = shown(vertices, faces, colors, background=(0.0, 0.0, 1.0))
    pull = gradient_px(vertices, image.rgb[0, 0].sum())[0]
    right = pull[1, 0] + pull[2, 0]  # 8 pixels long, all of it before the larger square
    left = pull[0, 0] + pull[3, 0]  # before the background
    assert right.item() == pytest.approx(8 * (0.9 - 0.1))
    assert left.item() == pytest.approx(-8 * 0.9)
    blue = gradient_px(
        vertices := vertices.detach().requires_grad_(),
        shown(vertices, faces, colors, background=(0.0, 0.0, 1.0)).rgb[0, 2].sum(),
    )[0]
    assert (blue[0, 0] + blue[3, 0]).item() == pytest.approx(-8 * (0.4 - 1.0))


def test_a_hidden_edge_pulls_nothing():
    vertices, faces, colors = two_squares()
    pull = gradient_px(vertices, shown(vertices, faces, colors).silhouette.sum())[0]
    # The larger square's left edge is 20 pixels long, 8 of them behind the other.
    assert (pull[4, 0] + pull[7, 0]).item() == pytest.approx(-12)
    assert (pull[1, 0] + pull[2, 0]).item() == pytest.approx(0), "an edge before another surface is no silhouette"


def test_an_edge_between_faces_that_both_show_pulls_nothing():
    vertices, faces, colors = two_squares()
    pull = gradient_px(vertices, shown(vertices, faces, colors).silhouette.sum())[0]
    # Of a corner that only the diagonal joins with others than its border, the border alone is left.
    assert pull[5].tolist() == pytest.approx([10.0, -10.0])


def test_topology_of_a_closed_and_of_an_open_mesh():
    tetrahedron = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    edges, owners = edge_topology(tetrahedron)
    assert len(edges) == 6
    assert (owners >= 0).all()
    edges, owners = edge_topology(tetrahedron[:3])
    assert sorted(map(tuple, edges[owners[:, 1] < 0].tolist())) == [(0, 2), (0, 3), (2, 3)]
    for edge, sides in zip(edges, owners, strict=True):
        assert all(set(edge) <= set(tetrahedron[side]) for side in sides if side >= 0)


def test_an_edge_of_three_faces_is_a_border_of_each():
    edges, owners = edge_topology(np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))
    assert [tuple(edge) for edge in edges.tolist()].count((0, 1)) == 3
    assert (owners[:, 1] == -1).all()


SIDE = 72
STEPS = torch.tensor([0.02, 0.02, 0.01, 0.01, 0.01, 8e-4, 8e-4, 4e-3], dtype=torch.float64)
"""Of the eight numbers: each moves the hand by about a sixth of a pixel, and is counted in such steps."""


@pytest.fixture(scope="module")
def hands():
    """Two hands, smoothly coloured, and a function from 8 numbers each to their images: pose, rotation, place."""
    hand = load_hand_model("open", dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    pose = 0.5 * torch.randn(2, 2, generator=generator, dtype=torch.float64)
    rotation = torch.tensor([[0.4, 1.2, 0.3], [-1.0, 0.2, 2.0]], dtype=torch.float64)
    place = torch.tensor([[0.0, 0.0, 0.45], [0.03, -0.02, 0.5]], dtype=torch.float64)
    rest = hand(torch.zeros(1, 2, dtype=torch.float64)).vertices
    colors = (0.5 + 0.4 * torch.sin(30 * rest + torch.arange(3))).expand(2, -1, 3)
    camera = torch.tensor([[160.0, 0, SIDE / 2], [0, 160, SIDE / 2], [0, 0, 1]], dtype=torch.float64).expand(2, 3, 3)

    def draw(code, supersampling):
        mesh = hand(code[:, :2], None, code[:, 2:5])
        vertices = mesh.vertices - rest.mean(1) + code[:, None, 5:]
        lights = AMBIENT.expand(2, 11)
        image = render(vertices, hand.faces, colors, camera, lights, (SIDE, SIDE), supersampling=supersampling)
        return torch.cat([image.rgb, image.silhouette[:, None]], dim=1)

    return draw, torch.cat([pose, rotation, place], dim=1)


@pytest.fixture(scope="module")
def differences(hands):
    """The derivative of the images by each of the numbers, [8, 2, 4, H, W], from images of 20 x 20 samples a pixel."""
    draw, code = hands
    with torch.no_grad():
        return torch.stack([(draw(code + step, 20) - draw(code - step, 20)) / 2 for step in torch.diag(STEPS)])


def weights_of(kind, image):
    """Weights of the pixels as losses give them; of random ones several draws, one of which may sum to little."""
    generator = torch.Generator().manual_seed(5)
    noise = [torch.randn(image.shape, generator=generator, dtype=torch.float64) for _ in range(6)]
    if kind == "noise":
        return noise
    if kind == "blurred":
        return [F.avg_pool2d(draw, 5, 1, 2) for draw in noise]
    difference = image - image.roll((2, 3), dims=(2, 3))
    return [difference.sign() if kind == "L1" else difference]


NEURAL_RENDERER = {"noise": 0.32, "blurred": 0.51, "L1": 0.75, "L2": 0.71}
"""Cosines that neural_renderer's approximation reached on such scenes, silhouettes."""


@pytest.mark.parametrize("what", ["silhouette", "colour"])
@pytest.mark.parametrize("kind", ["noise", "blurred", "L1", "L2"])
def test_gradients_are_those_of_fine_differences(hands, differences, kind, what):
    draw, code = hands
    code = code.clone().requires_grad_()
    image = draw(code, 2)
    channels = slice(3, 4) if what == "silhouette" else slice(3)
    found, true = [], []
    for weights in weights_of(kind, image.detach()[:, channels]):
        (gradient,) = torch.autograd.grad((image[:, channels] * weights).sum(), code, retain_graph=True)
        found.append(gradient * STEPS)
        true.append((differences[:, :, channels] * weights).sum((2, 3, 4)).T)
    found, true = torch.cat(found, dim=1), torch.cat(true, dim=1)
    cosine = F.cosine_similarity(found, true, dim=1)
    ratio = found.norm(dim=1) / true.norm(dim=1)
    print(f"{what}, {kind}: cosine {cosine.min():.4f}, norms {ratio.tolist()}; neural_renderer {NEURAL_RENDERER[kind]}")
    assert cosine.min() > (0.98 if kind == "noise" else 0.99)
    assert (ratio - 1).abs().max() < 0.06


def test_threads_change_nothing():
    rng = np.random.default_rng(0)
    hand = load_hand_model("open")
    mesh = hand(torch.zeros(3, 2)).vertices.numpy() * 300 + np.array([40.0, 30, 0])
    mesh[..., 2] = 0.5 + 0.001 * mesh[..., 2]
    slopes, colors = rng.standard_normal((3, 4, 48, 64)), rng.random((2, 3, 778, 3))
    scene = (mesh, hand.faces.numpy(), *colors, np.zeros((1, 3, 1, 1)), slopes)
    one, two = (edge_gradients(*scene, threads=count) for count in (1, 2))
    assert np.array_equal(one, two)
    assert np.abs(one).max() > 0


@pytest.mark.parametrize("where", ["behind", "beside", "collapsed", "partly behind", "not a number"])
def test_hands_that_cannot_be_seen_have_finite_gradients(where):
    hand = load_hand_model("open")
    vertices = hand(torch.zeros(1, 2)).vertices + torch.tensor([0.0, 0.0, 0.5])
    if where == "collapsed":
        vertices = vertices * 0 + torch.tensor([0.01, 0.02, 0.5])
    elif where == "not a number":
        vertices[0, 5:9] = float("nan")
    else:
        vertices = vertices + torch.tensor({"behind": [0, 0, -1.0], "beside": [9.0, 0, 0]}.get(where, [0, 0, -0.5]))
    vertices.requires_grad_()
    camera, lights = K[None].float(), AMBIENT[None].float()
    image = render(vertices, hand.faces, torch.ones_like(vertices), camera, lights, SIZE)
    (image.rgb.square().sum() + image.silhouette.sum() + image.depth.sum()).backward()
    assert vertices.grad.isfinite().all()
    assert image.rgb.isfinite().all()
