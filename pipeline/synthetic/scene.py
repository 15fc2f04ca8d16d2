"""One synthetic photograph: a person's hand in a pose, in a light, before a camera, with what is around it."""

from dataclasses import dataclass
from functools import cache

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
from s2hand.pipeline.synthetic.noise import Bytes, Floats
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
    degradation and versions, and on nothing else."""
    streams = np.random.SeedSequence([settings.seed, _SPLITS[split], index]).spawn(6)
    placing, dressing, lighting, *_ = (np.random.default_rng(s) for s in streams)
    size = settings.image_size
    placed = _place_hand(placing, size, settings.coverage)
    skin = sample_skin(dressing)
    front, mask = _render(dressing, lighting, placed, skin, size)
    images = []
    for version in range(settings.versions if split == "training" else 1):
        rng = np.random.default_rng(np.random.SeedSequence([settings.seed, _SPLITS[split], index, version]))
        images.append(take_photograph(rng, front, sample_background(rng, size), settings.degradation))
    return Photograph(
        tuple(images), mask, placed.view.K, placed.joints, placed.vertices, placed.pose, placed.shape
    )


def _place_hand(rng: np.random.Generator, size: int, coverage: tuple[float, float]) -> _Placed:
    """Gesture, shape and view."""
    hand = open_hand()
    fingers = _sample_pose(rng)
    shape = np.clip(rng.normal(0, 1, 10), -2.5, 2.5)
    rotation = sample_rotation(rng)
    turned = rotation_vector(rotation)
    posed = pose_hand(hand, fingers, shape, turned)
    view = sample_view(rng, rotation, posed.joints, size, coverage)
    pose = np.concatenate([turned, fingers - hand.hands_mean])
    return _Placed(posed.vertices + view.translation, posed.joints + view.translation, view, pose, shape)


def _sample_pose(rng: np.random.Generator) -> Doubles:
    """Axis-angle [45], radians: mostly named gestures and single fingers, one in eight from the model's components."""
    hand = open_hand()
    if rng.random() < 0.125:
        coefficients = np.clip(rng.normal(0, 0.8, 45), -2, 2) * component_spread()
        return np.asarray(hand.hands_mean + coefficients @ hand.hands_components)
    return np.asarray(sample_gesture(rng) + rng.normal(0, 0.025, 45))


@cache
def component_spread() -> Doubles:
    """Standard deviation [45] of the pose components over the gestures, radians."""
    hand = open_hand()
    rng = np.random.default_rng(20240303)
    poses = np.stack([sample_gesture(rng) for _ in range(400)]) - hand.hands_mean
    return np.asarray((poses @ hand.hands_components.T).std(0))


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
    rng: np.random.Generator, lighting: np.random.Generator, placed: _Placed, skin: Skin, size: int
) -> tuple[Foreground, NDArray[np.bool_]]:
    """Dress the scene, draw and shade it; the foreground and the hand's mask."""
    view = placed.view
    pieces = [_hand_mesh(placed.vertices, skin)]
    pieces += sample_arm(rng, placed.vertices[_plan()[2]], view.rotation, skin)
    if rng.random() < 0.22:
        pieces += held_object(rng, placed.joints, view.rotation)
    if rng.random() < 0.3:
        pieces += occluders(rng, placed.joints, view.K, size)
    if rng.random() < 0.4:
        pieces += bystanders(rng, placed.joints, view.K, size)
    scene, lights = join(pieces, _plan()[0]), sample_lights(lighting)
    focal, centre = view.K[0, 0] * SUPERSAMPLING, view.K[:2, 2] * SUPERSAMPLING
    drawn = draw(scene, focal, centre, size * SUPERSAMPLING)
    shaded = shade(scene, drawn, skin, lights, (focal, *centre))
    return Foreground(shaded.light, shaded.cover), shaded.hand > 0.5


def joints_px(photo: Photograph) -> Doubles:
    """Projected joints [21, 2], continuous pixels."""
    return np.asarray(project(photo.joints, photo.K))
