"""The gradient at every vertex, of silhouettes and colours, against differences of images of many samples a pixel.

Each vertex is moved by itself, an eighth of a pixel either way, and what changes around it is drawn with 16 x 16
samples a pixel, 8 x 8 in colour. On the scenes of neural_renderer's stored gradients its own cosines stand beside.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from s2hand.train import load_hand_model, render
from s2hand.train.openhand.gestures import GESTURES
from s2hand.train.render.camera import project
from s2hand.train.render.rasterize import rasterize

REFERENCE = Path(__file__).parents[1] / "reference"
AMBIENT = torch.tensor([[1.0, 0.0, 1, 1, 1, 0, 0, 0, 0, 0, 1]], dtype=torch.float64)
STEP = 0.125  # pixels
SAMPLES = 500_000  # that are drawn at a time: more would spend their time on fresh memory


@dataclass(frozen=True)
class Scene:
    """A coloured mesh before a camera."""

    vertices: Tensor  # [V, 3] camera, metres
    faces: Tensor  # [F, 3]
    colors: Tensor  # [V, 3]
    K: Tensor  # [3, 3]
    size: int  # pixels of the image's side

    def draw(self, vertices: Tensor, supersampling: int = 2) -> Tensor:  # [4, H, W]
        """Colours and silhouette of the mesh with these vertices."""
        return self.windows(vertices[None], torch.zeros(1, 2, dtype=torch.long), self.size, supersampling)[0]

    def windows(self, vertices: Tensor, corners: Tensor, side: int, supersampling: int) -> Tensor:  # [B, 4, side, side]
        """The parts of the images of B meshes whose upper left corners are these pixels."""
        count, K = len(vertices), self.cameras(corners)
        image = render(
            vertices,
            self.faces,
            self.colors.expand(count, -1, 3),
            K,
            AMBIENT.expand(count, 11),
            (side, side),
            background=(0.0, 0.0, 0.0),
            supersampling=supersampling,
        )
        return torch.cat([image.rgb, image.silhouette[:, None]], dim=1)

    def covered(self, vertices: Tensor, corners: Tensor, side: int, supersampling: int) -> Tensor:  # [B, 1, side, side]
        """The silhouettes in those parts."""
        finer = vertices.new_tensor((supersampling, supersampling, 1))
        seen = rasterize(project(vertices, self.cameras(corners)) * finer, self.faces, (side * supersampling,) * 2)
        return F.avg_pool2d((seen.face_index >= 0).float()[:, None], supersampling).double()

    def cameras(self, corners: Tensor) -> Tensor:  # [B, 3, 3]
        K = self.K.repeat(len(corners), 1, 1)
        K[:, :2, 2] -= corners
        return K


def surroundings(scene: Scene) -> tuple[Tensor, int]:
    """For each vertex the upper left corner [V, 2] of a square of pixels with all its faces in it, and its side."""
    places = project(scene.vertices[None], scene.K[None])[0, :, :2]
    low, high = places.clone(), places.clone()
    for corner in range(3):
        own = scene.faces[:, [corner]].expand(-1, 3).flatten()
        index, reached = own[:, None].expand(-1, 2), places[scene.faces.flatten()]
        low.scatter_reduce_(0, index, reached, "amin")
        high.scatter_reduce_(0, index, reached, "amax")
    corners = (low - 1).floor().long()
    return corners, int((high + 1 - corners).max().ceil())


def changes(scene: Scene, draw: "Draw", corners: Tensor, side: int) -> Tensor:  # [n]
    """Whether surroundings may change: not the silhouette's where all is covered already, and some layer is closed."""
    before = draw(scene.vertices.repeat(len(corners), 1, 1), corners, side, 2)
    return ~(before == 1).flatten(1).all(1)


Draw = Callable[[Tensor, Tensor, int, int], Tensor]


@torch.no_grad()
def moving(scene: Scene, draw: Draw, supersampling: int) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Yield vertex, axis, corner, and how its surroundings [C, side, side] change per pixel that it moves there."""
    corners, side = surroundings(scene)
    per_metre = torch.diagonal(scene.K)[:2] / scene.vertices[:, 2:]  # pixels, [V, 2]
    batch = max(1, SAMPLES // (side * supersampling) ** 2)
    some_of_all = [rows[changes(scene, draw, corners[rows], side)] for rows in torch.arange(len(corners)).split(batch)]
    for axis in range(2):
        for some in some_of_all:
            images = []
            for sign in (1, -1):
                moved = scene.vertices.repeat(len(some), 1, 1)
                moved[torch.arange(len(some)), some, axis] += sign * STEP / per_metre[some, axis]
                images.append(draw(moved, corners[some], side, supersampling))
            change = (images[0] - images[1]) / (2 * STEP)
            yield from ((int(vertex), axis, corners[vertex], change[i]) for i, vertex in enumerate(some))


def true_gradients(scene: Scene, weights: list[Tensor], what: str) -> Tensor:  # [n, V, 2]
    """Of the sums of n weights [4, H, W] times the image, by u and v of each vertex."""
    draw, channels, supersampling = DRAWN[what]
    corners, side = surroundings(scene)
    before, after = (-corners.min()).clamp_min(0), (corners.max() + side - scene.size).clamp_min(0)
    margin = int(max(before, after))
    padded = F.pad(torch.stack(weights)[:, channels], (margin,) * 4)
    truth = torch.zeros(len(weights), len(scene.vertices), 2, dtype=torch.float64)
    for vertex, axis, (left, top), change in moving(scene, lambda *window: draw(scene, *window), supersampling):
        row, column = int(top) + margin, int(left) + margin
        truth[:, vertex, axis] = (padded[..., row : row + side, column : column + side] * change).sum((1, 2, 3))
    return truth


DRAWN = {"silhouette": (Scene.covered, slice(3, 4), 16), "colour": (Scene.windows, slice(4), 8)}
"""By what is looked at: what draws it, its channels of the image, the samples along a pixel's side."""


def our_gradients(scene: Scene, weights: list[Tensor]) -> Tensor:  # [n, V, 2]
    vertices = scene.vertices.clone().requires_grad_()
    image = scene.draw(vertices)
    found = [torch.autograd.grad((image * weight).sum(), vertices, retain_graph=True)[0] for weight in weights]
    return torch.stack([in_pixels(scene, gradient) for gradient in found])


def in_pixels(scene: Scene, gradient: Tensor) -> Tensor:  # [V, 3] by metres -> [V, 2] by pixels
    return gradient[:, :2] * scene.vertices[:, 2:] / torch.diagonal(scene.K)[:2]


def cosine_and_ratio(found: Tensor, true: Tensor) -> tuple[float, float]:
    cosine = F.cosine_similarity(found.flatten(), true.flatten(), dim=0)
    return float(cosine), float(found.norm() / true.norm())


# The scenes of neural_renderer's own gradients


def stored(name: str) -> tuple[Scene, dict[str, Tensor]]:
    with np.load(REFERENCE / "render_scenes.npz") as file:
        arrays = {key.removeprefix(f"{name}_"): file[key] for key in file if key.startswith(f"{name}_")}
        noise = file["scene_w_sil"][0] / 64
    vertices = torch.tensor(arrays["vertices"][0]).double()
    faces, K = torch.tensor(arrays["faces"]).long(), torch.tensor(arrays["K"][0]).double()
    scene = Scene(vertices, faces, torch.ones_like(vertices), K, 224)
    silhouette = scene.draw(vertices)[3]
    weights = {"noise": torch.tensor(noise), "L1": (silhouette - silhouette.roll((6, -4), (0, 1))).sign()}
    theirs = {"noise": "aa_grad_v_sil", "L1": "aa_grad_v_sil_l1shift"}
    return scene, {
        **{kind: torch.cat([torch.zeros(3, 224, 224), weight[None]]) for kind, weight in weights.items()},
        **{f"theirs, {kind}": torch.tensor(arrays[key][0]) for kind, key in theirs.items()},
    }


def test_silhouettes_of_neural_renderers_scene() -> None:
    scene, given = stored("scene")
    weights = [given["noise"], given["L1"]]
    truth, ours = true_gradients(scene, weights, "silhouette"), our_gradients(scene, weights)
    for kind, found, true in zip(("noise", "L1"), ours, truth, strict=True):
        cosine, ratio = cosine_and_ratio(found, true)
        theirs = cosine_and_ratio(in_pixels(scene, given[f"theirs, {kind}"].double()), true)
        print(f"scene, {kind}: cosine {cosine:.4f}, norm {ratio:.3f}; neural_renderer {theirs[0]:.4f}, {theirs[1]:.2f}")
        assert cosine > (0.98 if kind == "noise" else 0.99)
        assert abs(ratio - 1) < 0.06
        assert theirs[0] < 0.9


# Poses of the open hand


def posed(gesture: str, seed: int) -> Scene:
    hand = load_hand_model("open", dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    turn = 1.5 * torch.randn(1, 3, generator=generator, dtype=torch.float64)
    mesh = hand(axis_angle=torch.tensor(GESTURES[gesture]).double().view(1, 45), rotation=turn)
    vertices = mesh.vertices[0] - mesh.vertices[0].mean(0) + torch.tensor([0.0, 0.0, 0.5])
    colors = 0.5 + 0.4 * torch.sin(30 * mesh.vertices[0] + torch.arange(3))
    K = torch.tensor([[150.0, 0, 32], [0, 150.0, 32], [0, 0, 1]], dtype=torch.float64)
    return Scene(vertices, hand.faces, colors, K, 64)


def weights_of(kind: str, image: Tensor, channels: slice) -> Tensor:  # [4, H, W]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    difference = image - image.roll((2, -1), (1, 2))
    chosen: dict[str, Callable[[], Tensor]] = {
        "noise": lambda: noise,
        "blurred": lambda: F.avg_pool2d(noise, 5, 1, 2),
        "L1": difference.sign,
        "L2": lambda: difference,
    }
    weights = torch.zeros_like(image)
    weights[channels] = chosen[kind]()[channels]
    return weights


KINDS = ("noise", "blurred", "L1", "L2")
SILHOUETTE = {"noise": 0.32, "blurred": 0.51, "L1": 0.75, "L2": 0.71}
"""Cosines of neural_renderer's approximation on such poses, in a trial."""


@pytest.mark.parametrize(
    ("gesture", "what", "channels"),
    [("spread", "silhouette", slice(3, 4)), ("fist", "silhouette", slice(3, 4))],
)
def test_the_open_hand(gesture: str, what: str, channels: slice) -> None:
    scene = posed(gesture, seed=len(gesture))
    image = scene.draw(scene.vertices)
    weights = [weights_of(kind, image, channels) for kind in KINDS]
    truth = true_gradients(scene, weights, what)
    for kind, found, true in zip(KINDS, our_gradients(scene, weights), truth, strict=True):
        cosine, ratio = cosine_and_ratio(found, true)
        beside = f"; neural_renderer {SILHOUETTE[kind]}" if what == "silhouette" else ""
        print(f"{gesture}, {what}, {kind}: cosine {cosine:.4f}, norm {ratio:.3f}{beside}")
        assert cosine > (0.98 if what == "colour" or kind == "noise" else 0.99)
        assert abs(ratio - 1) < 0.06
