"""One synthetic photograph: a person's hand in a pose, in a light, before a camera, with what is around it."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import project
from s2hand.pipeline.synthetic.arm import sample_arm, wrist_loop
from s2hand.pipeline.synthetic.backgrounds import sample_background
from s2hand.pipeline.synthetic.lights import sample_lights
from s2hand.pipeline.synthetic.meshes import (
    Ints,
    Mesh,
    Surface,
    Tessellation,
    join,
    plan_tessellation,
    tessellate,
    vertex_normals,
)
from s2hand.pipeline.synthetic.noise import Bytes
from s2hand.pipeline.synthetic.objects import bystanders, held_object, occluders
from s2hand.pipeline.synthetic.photo import Foreground, take_photograph
from s2hand.pipeline.synthetic.posing import Doubles, open_hand, pose_hand, rotation_vector
from s2hand.pipeline.synthetic.settings import SyntheticSettings
from s2hand.pipeline.synthetic.shade import draw, shade
from s2hand.pipeline.synthetic.skin import Skin, sample_skin
from s2hand.pipeline.synthetic.views import View, sample_rotation, sample_view
from s2hand.train.openhand.gestures import sample_gesture

SUPERSAMPLING = 2
"""The scene is drawn at this multiple of the photograph's side, so that edges are smooth."""

_LEAST_SEEN = 0.22
"""Share of the hand's convex outline that must show skin; a spread hand in full view fills about half of its own."""

_SPLITS = {"training": 0, "evaluation": 1}


@dataclass(frozen=True)
class Photograph:
    """A hand in one or several photographs, which differ in background and camera only, and the truth about it.

    images: each [S, S, 3] uint8 RGB; mask [S, S] bool: pixels where the hand's skin is seen; K [3, 3] pixels;
    joints [21, 3] and vertices [778, 3] in camera coordinates, metres; pose [48] axis-angle of the wrist and, relative
    to the model's mean pose, of the fifteen finger joints; shape [10].
    """

    images: tuple[Bytes, ...]
    mask: NDArray[np.bool_]
    K: Doubles
    joints: Doubles
    vertices: Doubles
    pose: Doubles
    shape: Doubles


@dataclass(frozen=True)
class _Placed:
    """The hand in camera coordinates."""

    vertices: Doubles
    joints: Doubles
    view: View
    pose: Doubles
    shape: Doubles


def photograph(settings: SyntheticSettings, split: str, index: int) -> Photograph:
    """Photograph number `index` of a split ('training', 'evaluation'); depends on the settings' seed, size, coverage,
    difficulty and versions, and on nothing else."""
    streams = np.random.SeedSequence([settings.seed, _SPLITS[split], index]).spawn(3)
    placing, dressing, lighting = (np.random.default_rng(s) for s in streams)
    size = settings.image_size
    placed = _place_hand(placing, settings)
    skin = sample_skin(dressing)
    front, mask = _render(dressing, lighting, placed, skin, settings)
    images = []
    for version in range(settings.versions if split == "training" else 1):
        rng = np.random.default_rng(np.random.SeedSequence([settings.seed, _SPLITS[split], index, version]))
        background = sample_background(rng, size, settings.difficulty)
        images.append(take_photograph(rng, front, background, settings.difficulty))
    return Photograph(tuple(images), mask, placed.view.K, placed.joints, placed.vertices, placed.pose, placed.shape)


@dataclass(frozen=True)
class CutOut:
    """A hand with its arm and what it holds, before nothing: to be put into other pictures.

    front: what was rendered; mask [S, S] bool: pixels where the hand's skin is seen; joints_px [21, 2].
    """

    front: Foreground
    mask: NDArray[np.bool_]
    joints_px: Doubles


def cut_out(settings: SyntheticSettings, split: str, index: int) -> CutOut:
    """Hand number `index` of a split as `photograph` would show it, without background and camera."""
    streams = np.random.SeedSequence([settings.seed, _SPLITS[split], index]).spawn(3)
    placing, dressing, lighting = (np.random.default_rng(s) for s in streams)
    placed = _place_hand(placing, settings)
    front, mask = _render(dressing, lighting, placed, sample_skin(dressing), settings)
    return CutOut(front, mask, np.asarray(project(placed.joints, placed.view.K)))


def _place_hand(rng: np.random.Generator, settings: SyntheticSettings) -> _Placed:
    """Gesture, shape and view."""
    hand = open_hand()
    fingers = _sample_pose(rng)
    shape = np.clip(rng.normal(0, 1, 10), -2.5, 2.5)
    rotation = sample_rotation(rng, settings.difficulty)
    turned = rotation_vector(rotation)
    posed = pose_hand(hand, fingers, shape, turned)
    view = sample_view(rng, rotation, posed.joints, settings)
    pose = np.concatenate([turned, fingers - hand.hands_mean])
    return _Placed(posed.vertices + view.translation, posed.joints + view.translation, view, pose, shape)


def _sample_pose(rng: np.random.Generator) -> Doubles:
    """Axis-angle [45], radians: mostly gestures finger by finger; one in eight smoothed to few pose components."""
    hand, pose = open_hand(), sample_gesture(rng)
    if rng.random() < 0.125:
        components = hand.hands_components[: int(rng.integers(6, 20))]
        pose = hand.hands_mean + (pose - hand.hands_mean) @ components.T @ components
    return np.asarray(pose + rng.normal(0, 0.025, 45))


@cache
def _plan() -> tuple[Ints, Tessellation, list[int]]:
    """The open hand's faces, their refinement and the wrist's loop."""
    faces = open_hand().faces.astype(np.int32)
    return faces, plan_tessellation(faces, 778), wrist_loop(faces)


def _hand_mesh(vertices: Doubles, skin: Skin) -> Mesh:
    """The refined hand."""
    faces, plan, _ = _plan()
    fine = tessellate(vertices.astype(np.float32), faces, plan)
    blank = np.zeros((len(fine), 2), np.float32)
    surface = Surface(None, skin.specular, skin.gloss, 1.0)
    return Mesh(fine, plan.faces, vertex_normals(fine, plan.faces), blank, surface, True)


def _render(
    rng: np.random.Generator, lighting: np.random.Generator, placed: _Placed, skin: Skin, settings: SyntheticSettings
) -> tuple[Foreground, NDArray[np.bool_]]:
    """Dress the scene, draw and shade it; the foreground and the hand's mask.

    If too little of the hand is seen behind what was put before it, it is shown alone.
    """
    view, lights, size = placed.view, sample_lights(lighting), settings.image_size
    focal, centre = view.K[0, 0] * SUPERSAMPLING, view.K[:2, 2] * SUPERSAMPLING
    hand = _hand_mesh(placed.vertices, skin)
    scene = join([hand, *_surroundings(rng, placed, skin, settings)], _plan()[0])
    drawn = draw(scene, focal, centre, size * SUPERSAMPLING)
    if _share_seen(drawn.face, len(hand.faces), placed) < _LEAST_SEEN:
        scene = join([hand], _plan()[0])
        drawn = draw(scene, focal, centre, size * SUPERSAMPLING)
    shaded = shade(scene, drawn, skin, lights, (focal, *centre))
    return Foreground(shaded.light, shaded.cover), shaded.hand > 0.5


def _surroundings(rng: np.random.Generator, placed: _Placed, skin: Skin, settings: SyntheticSettings) -> list[Mesh]:
    """The arm and whatever else is there."""
    view, difficulty = placed.view, settings.difficulty
    pieces = sample_arm(rng, placed.vertices[_plan()[2]], view.rotation, skin)
    if rng.random() < 0.22 * difficulty:
        pieces += held_object(rng, placed.joints, view.rotation)
    if rng.random() < 0.3 * difficulty:
        pieces += occluders(rng, placed.joints)
    if rng.random() < 0.4 * difficulty:
        pieces += bystanders(rng, placed.joints, view.K, settings.image_size)
    return pieces


def _share_seen(face: Ints, hand_faces: int, placed: _Placed) -> float:
    """Pixels with skin of the hand over those within the outline of its projection (a convex hull)."""
    outline = cv2.convexHull((project(placed.vertices, placed.view.K) * SUPERSAMPLING).astype(np.float32))
    seen = np.count_nonzero((face >= 0) & (face < hand_faces))
    return float(seen / max(cv2.contourArea(outline), 1.0))


def joints_px(photo: Photograph) -> Doubles:
    """Projected joints [21, 2], continuous pixels."""
    return np.asarray(project(photo.joints, photo.K))
