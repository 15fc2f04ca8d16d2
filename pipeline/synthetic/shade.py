"""From a scene to light: drawing it, shadows, and the colour of every pixel that shows it.

All in linear RGB. What is done per pixel is in `shade_kernels.py`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from s2hand.pipeline.synthetic.hand_surface import SAMPLES, SIDE
from s2hand.pipeline.synthetic.lights import Lights
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE, Ints, Mesh, Scene
from s2hand.pipeline.synthetic.noise import Bytes, Floats
from s2hand.pipeline.synthetic.posing import cross
from s2hand.pipeline.synthetic.shade_kernels import part_slopes, shade_kernel
from s2hand.pipeline.synthetic.skin import Skin
from s2hand.train.render.kernels import rasterize_numpy

_NEAR_M = 0.04
_SHADOW_SIDE = 144
_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class Drawn:
    """A scene on the image plane: face [H, W] (-1 for none), weights [H, W, 3], depth [H, W] metres."""

    face: Ints
    weights: Floats
    depth: Floats


@dataclass(frozen=True)
class Shaded:
    """light [S, S, 3] linear RGB, premultiplied by cover [S, S], the share of a pixel that is filled; hand [S, S], the
    share that shows the hand's skin.
    """

    light: Floats
    cover: Floats
    hand: Floats


def draw(scene: Scene, focal: float, centre: Floats, size: int) -> Drawn:
    """Rasterize a scene: focal length, principal point and size in pixels."""
    z = scene.vertices[:, 2]
    safe = np.where(z > _NEAR_M, z, 1.0)
    flat = scene.vertices[:, :2] / safe[:, None] * focal + centre
    points = np.concatenate([flat, np.where(z > _NEAR_M, z, 0.0)[:, None]], 1)  # depth 0: the face is left out
    return Drawn(*rasterize_numpy(points, scene.faces, size, size, cull=True, near=_NEAR_M))


def shadow_map(scene: Scene, towards: Floats) -> tuple[Floats, Floats]:
    """Distance of what the first light meets: map [S, S] and the matrix [3, 4] from camera points to (column, row, z).

    The light is parallel; the map covers the scene's hand and what is within 10 cm of it.
    """
    towards = towards.astype(np.float64)
    side = cross(towards, np.array([0.31, 0.9, 0.3]))
    side /= np.linalg.norm(side)
    frame = np.stack([side, cross(towards, side), -towards]).astype(np.float32)
    local = scene.vertices @ frame.T
    hand = local[: len(scene.pieces[0].vertices)]
    low, high = hand.min(0) - 0.03, hand.max(0) + 0.03
    scale = np.float32(_SHADOW_SIDE / max(float((high - low)[:2].max()), 1e-3))
    far = np.float32(50.0)  # a parallel projection: depths so large that perspective vanishes
    matrix = np.concatenate([frame, -low[:, None]], 1) * np.array([[scale], [scale], [1]], np.float32)
    points = scene.vertices @ matrix[:, :3].T + matrix[:, 3]
    points[:, 2] += far
    faces = np.concatenate([scene.coarse, scene.faces[len(scene.pieces[0].faces) :]])
    _, _, depth = rasterize_numpy(points, faces, _SHADOW_SIDE, _SHADOW_SIDE)
    return np.where(depth > 0, depth - far, np.float32(1e3)), matrix.astype(np.float32)


def occlusion(drawn: Drawn) -> Floats:
    """How open each pixel is to the light around it, [H / 4, W / 4] in [.35, 1], from the depth alone.

    A point that lies deeper than its neighbourhood's mean is in a hollow; two sizes of neighbourhood.
    """
    small = np.ascontiguousarray(drawn.depth[::4, ::4])
    there = (small > 0).astype(np.float32)
    openness = np.ones_like(small)
    for sigma, weight in ((1.2, 0.5), (4.0, 0.6)):
        blurred = cv2.GaussianBlur(small, (0, 0), sigma * len(small) / 56)
        share = cv2.GaussianBlur(there, (0, 0), sigma * len(small) / 56)
        hollow = np.clip((small - blurred / np.maximum(share, 1e-3)) / 0.018, 0, 1)
        openness -= np.float32(weight) * hollow * there
    return np.maximum(openness, np.float32(0.35))


def shade(scene: Scene, drawn: Drawn, skin: Skin, lights: Lights, K: tuple[float, float, float]) -> Shaded:
    """Light of a scene drawn at twice the photograph's size. K: focal length and principal point of the drawing."""
    shadows, to_light = shadow_map(scene, lights.towards[0])
    size = drawn.face.shape[0] // 2
    shaded = Shaded(*(np.zeros(shape, np.float32) for shape in ((size, size, 3), (size, size), (size, size))))
    looks = np.array([_look(piece) for piece in scene.pieces], np.float32)
    shade_kernel(
        drawn.face,
        drawn.weights,
        drawn.depth,
        occlusion(drawn),
        scene.faces.view(np.uint32),  # unsigned: the kernel need not ask whether an index counts from the end
        np.concatenate([scene.normals, scene.uv], axis=1),
        scene.piece.view(np.uint32),
        scene.first_face.view(np.uint32),
        np.array([p.is_hand for p in scene.pieces]),
        looks,
        _texture_stack(scene),
        _LINEAR,
        np.array([SIDE, SAMPLES], np.uint32),
        skin.samples,
        part_slopes(scene.vertices, scene.faces[: len(scene.pieces[0].faces)]),
        lights.towards,
        lights.colours,
        np.stack([lights.sky, lights.ground, lights.up]),
        shadows,
        to_light,
        np.array([*K, 1 / K[0]], np.float32),
        shaded.light,
        shaded.cover,
        shaded.hand,
    )
    return shaded


def _look(piece: Mesh) -> tuple[float, ...]:
    """A piece's row for the kernel: specular, gloss, wrap of r, g, b, 1 / (1 + wrap) of r, g, b."""
    surface = piece.surface
    # Light wraps around the terminator and bleeds into shadows: red travels farthest under the skin.
    wrap = [surface.scatter * reach for reach in (0.30, 0.12, 0.06)]
    return (surface.specular, surface.gloss, *wrap, *(1 / (1 + w) for w in wrap))


def _texture_stack(scene: Scene) -> Bytes:
    """The pieces' textures at one size, [P, T, T, 3]; blank for hands."""
    stack = np.zeros((len(scene.pieces), TEXTURE_SIDE, TEXTURE_SIDE, 3), np.uint8)
    for slot, piece in zip(stack, scene.pieces, strict=True):
        if piece.surface.texture is not None:
            slot[:] = piece.surface.texture
    return stack
