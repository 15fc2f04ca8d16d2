"""The gradient of silhouettes and colours at every vertex, against differences of images of many samples a pixel.

Each vertex is moved by itself, by two samples either way, and what changes around it is drawn with 16 x 16 or 32 x 32
samples a pixel. On the scene of neural_renderer's stored gradients its own cosines stand beside.
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
from s2hand.train.render.image import RenderedImage
from s2hand.train.render.rasterize import rasterize

REFERENCE = Path(__file__).parents[1] / "reference"
AMBIENT = torch.tensor([[1.0, 0.0, 1, 1, 1, 0, 0, 0, 0, 0, 1]], dtype=torch.float64)
BATCH = 8  # vertices whose surroundings are drawn at a time
EVERY = 4  # of the hand's vertices one in so many is moved
EVERY_OF_SCENE = 3


@dataclass(frozen=True)
class Scene:
    """A mesh before a camera; squares of its image are named by their upper left corners, in pixels."""

    vertices: Tensor  # [V, 3] camera, metres
    faces: Tensor  # [F, 3]
    colors: Tensor  # [V, 3]
    K: Tensor  # [3, 3]
    size: int  # pixels of the image's side

    def image(self, vertices: Tensor) -> tuple[Tensor, Tensor]:  # [1, H, W], [3, H, W]
        """Silhouette and colours as training sees them, differentiable."""
        image = self._render(vertices[None], self.K[None], self.size, 2)
        return image.silhouette, image.rgb[0]

    def covered(self, vertices: Tensor, corners: Tensor, side: int, supersampling: int) -> Tensor:  # [B, 1, side, side]
        """The silhouettes of B meshes in squares of their images."""
        finer = vertices.new_tensor((supersampling, supersampling, 1))
        seen = rasterize(project(vertices, self.cameras(corners)) * finer, self.faces, (side * supersampling,) * 2)
        return F.avg_pool2d((seen.face_index >= 0).float()[:, None], supersampling).double()

    def shown(self, vertices: Tensor, corners: Tensor, side: int, supersampling: int) -> Tensor:  # [B, 3, side, side]
        """The colours of B meshes in squares of their images."""
        return self._render(vertices, self.cameras(corners), side, supersampling).rgb

    def _render(self, vertices: Tensor, K: Tensor, side: int, supersampling: int) -> RenderedImage:
        count, black = len(vertices), (0.0, 0.0, 0.0)
        mesh = (vertices, self.faces, self.colors.expand(count, -1, 3), K, AMBIENT.expand(count, 11), (side, side))
        return render(*mesh, background=black, supersampling=supersampling)

    def cameras(self, corners: Tensor) -> Tensor:  # [B, 3, 3]
        K = self.K.repeat(len(corners), 1, 1)
        K[:, :2, 2] -= corners
        return K


def surroundings(scene: Scene) -> tuple[Tensor, Tensor]:
    """For each vertex a square of pixels with all its faces in it: upper left corners [V, 2] and sides [V]."""
    places = project(scene.vertices[None], scene.K[None])[0, :, :2]
    low, high = places.clone(), places.clone()
    for corner in range(3):
        own = scene.faces[:, [corner]].expand(-1, 3).flatten()
        index, reached = own[:, None].expand(-1, 2), places[scene.faces.flatten()]
        low.scatter_reduce_(0, index, reached, "amin")
        high.scatter_reduce_(0, index, reached, "amax")
    corners = (low - 1).floor().long()
    return corners, (high + 1 - corners).amax(1).ceil().long()


Draw = Callable[[Scene, Tensor, Tensor, int, int], Tensor]


@torch.no_grad()
def moving(scene: Scene, draw: Draw, fine: int, chosen: Tensor) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Yield vertex, axis, corner, and how its surroundings [C, side, side] change per pixel that it moves there."""
    corners, sides = surroundings(scene)
    per_metre = torch.diagonal(scene.K)[:2] / scene.vertices[:, 2:]  # pixels, [V, 2]
    step = 2 / fine  # pixels: a wider one would blur the borders of pixels
    for some in chosen[sides[chosen].argsort()].split(BATCH):
        side = int(sides[some].max())
        for axis in range(2):
            images = []
            for sign in (1, -1):
                moved = scene.vertices.repeat(len(some), 1, 1)
                moved[torch.arange(len(some)), some, axis] += sign * step / per_metre[some, axis]
                images.append(draw(scene, moved, corners[some], side, fine))
            change = (images[0] - images[1]) / (2 * step)
            yield from ((int(vertex), axis, corners[vertex], change[i]) for i, vertex in enumerate(some))


DRAWN: tuple[Draw, Draw] = (Scene.covered, Scene.shown)
"""What draws the silhouette, and what the colours, in the order of `Scene.image`."""


def true_gradients(scene: Scene, weights: list[Tensor], draw: Draw, fine: int, every: int) -> Tensor:  # [n, v, 2]
    """Of the sums of n weights [C, H, W] times what is drawn, by u and v of every so manieth vertex."""
    margin = scene.size  # faces may leave the image
    padded = F.pad(torch.stack(weights), (margin,) * 4)
    truth = torch.zeros(len(weights), len(scene.vertices), 2, dtype=torch.float64)
    chosen = torch.arange(0, len(scene.vertices), every)
    for vertex, axis, (left, top), change in moving(scene, draw, fine, chosen):
        row, column, side = int(top) + margin, int(left) + margin, change.shape[-1]
        truth[:, vertex, axis] = (padded[..., row : row + side, column : column + side] * change).sum((1, 2, 3))
    return truth[:, chosen]


def our_gradients(scene: Scene, weights: list[Tensor], draw: Draw) -> Tensor:  # [n, V, 2]
    vertices = scene.vertices.clone().requires_grad_()
    image = scene.image(vertices)[DRAWN.index(draw)]
    found = [torch.autograd.grad((image * weight).sum(), vertices, retain_graph=True)[0] for weight in weights]
    return torch.stack([in_pixels(scene, gradient) for gradient in found])


def in_pixels(scene: Scene, gradient: Tensor) -> Tensor:  # [V, 3] by metres -> [V, 2] by pixels
    return gradient[:, :2] * scene.vertices[:, 2:] / torch.diagonal(scene.K)[:2]


def cosine_and_ratio(found: Tensor, true: Tensor) -> tuple[float, float]:
    cosine = F.cosine_similarity(found.flatten(), true.flatten(), dim=0)
    return float(cosine), float(found.norm() / true.norm())


# The scene of neural_renderer's own gradients


def test_silhouettes_of_neural_renderers_scene() -> None:
    with np.load(REFERENCE / "render_scenes.npz") as file:
        vertices, faces, K, noise, *stored = (
            torch.tensor(file[f"scene_{key}"])
            for key in ("vertices", "faces", "K", "w_sil", "aa_grad_v_sil", "aa_grad_v_sil_l1shift")
        )
    scene = Scene(vertices[0].double(), faces.long(), torch.ones_like(vertices[0]).double(), K[0].double(), 224)
    silhouette, _ = scene.image(scene.vertices)
    weights = [noise.double() / 64, (silhouette - silhouette.roll((6, -4), (1, 2))).sign()]
    truth = true_gradients(scene, weights, Scene.covered, 16, EVERY_OF_SCENE)
    ours = our_gradients(scene, weights, Scene.covered)[:, ::EVERY_OF_SCENE]
    for kind, found, true, gradient in zip(("noise", "L1"), ours, truth, stored, strict=True):
        cosine, ratio = cosine_and_ratio(found, true)
        theirs = cosine_and_ratio(in_pixels(scene, gradient[0].double())[::EVERY_OF_SCENE], true)
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
    K = torch.tensor([[150.0, 0, 32], [0, 150.0, 32], [0, 0, 1]], dtype=torch.float64)
    colors = 0.5 + 0.4 * torch.sin(30 * mesh.vertices[0] + torch.arange(3))
    return Scene(vertices, hand.faces, colors, K, 64)


def weights_of(image: Tensor) -> dict[str, Tensor]:  # [C, H, W]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    difference = image - image.roll((2, -1), (1, 2))
    return {"noise": noise, "blurred": F.avg_pool2d(noise, 5, 1, 2), "L1": difference.sign(), "L2": difference}


THEIRS = {"noise": 0.32, "blurred": 0.51, "L1": 0.75, "L2": 0.71}
"""Cosines of neural_renderer's approximation of silhouettes on like poses, measured once."""


@pytest.mark.parametrize("draw", DRAWN, ids=["silhouette", "colour"])
@pytest.mark.parametrize("gesture", ["fist", "point"])
def test_the_open_hand(gesture: str, draw: Draw) -> None:
    scene = posed(gesture, seed=len(gesture))
    weights = weights_of(scene.image(scene.vertices)[DRAWN.index(draw)])
    given = list(weights.values())
    ours, truth = our_gradients(scene, given, draw)[:, ::EVERY], true_gradients(scene, given, draw, 32, EVERY)
    for kind, found, true in zip(weights, ours, truth, strict=True):
        cosine, ratio = cosine_and_ratio(found, true)
        what = draw.__name__
        print(f"{gesture}, {what}, {kind}: cosine {cosine:.4f}, norm {ratio:.3f}; neural_renderer {THEIRS[kind]}")
        assert cosine > (0.98 if kind == "noise" or draw is Scene.shown else 0.99)
        assert abs(ratio - 1) < 0.06
