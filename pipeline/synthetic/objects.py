"""Things in front of, inside and around a hand: bottles, pens, boxes, balls, held or in the way, and other limbs."""

import numpy as np

from s2hand.pipeline.synthetic.backgrounds import sample_texture
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE, Ints, Mesh, Surface, brick, lathe, make_mesh
from s2hand.pipeline.synthetic.noise import Floats
from s2hand.pipeline.synthetic.patterns import wall
from s2hand.pipeline.synthetic.posing import Doubles, cross
from s2hand.pipeline.synthetic.skin import arm_texture
from s2hand.pipeline.synthetic.skin_tones import sample_tone

_FINGER_RADIUS_M = 0.0085
_SHAPES = ("can", "bottle", "pen", "box", "card", "ball")


def held_object(rng: np.random.Generator, joints: Doubles, rotation: Doubles) -> list[Mesh]:
    """A thing in the palm, small enough not to cut through the fingers; nothing if there is no room for one.

    joints: [21, 3] camera coordinates, metres; rotation: [3, 3] hand to camera.
    """
    palm, across = rotation @ np.array([0, -1.0, 0]), joints[5] - joints[17]
    across = across / np.linalg.norm(across) + rng.normal(0, 0.2, 3)
    across /= np.linalg.norm(across)
    bones = _along_bones(joints)
    for _ in range(6):
        kind = _SHAPES[int(rng.integers(len(_SHAPES)))]
        radius = rng.uniform(0.007, 0.045)
        root = 0.65 * joints[9] + 0.35 * joints[0] + rng.normal(0, 0.008, 3)
        centre = root + palm * (0.013 + radius + rng.uniform(0, 0.02)) + across * rng.normal(0, 0.015)
        if kind == "ball":
            gap = np.linalg.norm(bones - centre, axis=1)
        else:
            out = (bones - centre) - np.outer((bones - centre) @ across, across)
            gap = np.linalg.norm(out, axis=1)
        room = float(gap.min()) - _FINGER_RADIUS_M
        if room > 0.006:
            return [_thing(rng, kind, min(radius, room), centre, across)]
    return []


def _along_bones(joints: Doubles) -> Doubles:
    """Points [60, 3] on the bones of the fingers."""
    fingers = joints[1:].reshape(5, 4, 3)
    starts = np.concatenate([np.broadcast_to(joints[0], (5, 1, 3)), fingers[:, :-1]], axis=1)
    return np.concatenate([starts + (fingers - starts) * t for t in (0.4, 0.7, 1.0)]).reshape(-1, 3)


def _thing(rng: np.random.Generator, kind: str, radius: float, centre: Doubles, axis: Doubles) -> Mesh:
    """One thing of a kind about a centre, its long side along an axis; it fits a cylinder (or ball) of the radius."""
    vertices, faces, uv = _shape(rng, kind, radius)
    turned = vertices @ _frame(rng, axis) + centre
    glossy = rng.random() < 0.5
    surface = Surface(sample_texture(rng), float(rng.uniform(0.1, 0.6) if glossy else 0.03), int(rng.integers(3, 7)))
    return make_mesh(turned, faces, uv, surface)


def _shape(rng: np.random.Generator, kind: str, radius: float) -> tuple[Floats, Ints, Floats]:
    """Vertices, faces, uv of one kind about the origin, its axis along z."""
    if kind in ("box", "card"):
        thin = 0.12 if kind == "card" else rng.uniform(0.4, 1)
        flat = np.array([1.0, thin]) / np.hypot(1, thin) * 2 * radius
        return brick(np.array([*flat, rng.uniform(0.03, 0.2)]).astype(np.float32))
    if kind == "ball":
        angle = np.linspace(-np.pi / 2, np.pi / 2, 12)
        return lathe(np.stack([np.cos(angle), np.sin(angle)], -1) * radius)
    half = rng.uniform(0.04, 0.12)
    if kind == "pen":
        thin = min(radius, rng.uniform(0.003, 0.009))
        return lathe(np.array([[0, -half - 0.01], [thin, -half], [thin, half], [0, half]]), 10)
    if kind == "can":
        return lathe(
            np.array(
                [
                    [0, -half],
                    [0.93 * radius, -half],
                    [radius, -0.95 * half],
                    [radius, 0.95 * half],
                    [0.93 * radius, half],
                    [0, half],
                ]
            )
        )
    neck = rng.uniform(0.25, 0.5) * radius
    return lathe(
        np.array(
            [
                [0, -half],
                [radius, -half],
                [radius, 0.4 * half],
                [neck, 0.8 * half],
                [neck, 1.2 * half],
                [0, 1.2 * half],
            ]
        )
    )


def _frame(rng: np.random.Generator, axis: Doubles) -> Doubles:
    """Rows x, y, z of a frame whose z is the axis, turned about it by chance."""
    side = cross(axis, rng.normal(0, 1, 3))
    side /= np.linalg.norm(side)
    return np.stack([side, cross(axis, side), axis])


def occluders(rng: np.random.Generator, joints: Doubles) -> list[Mesh]:
    """One or two things between the camera and the hand, over some of it: rods, boxes, other people's limbs."""
    pieces = []
    for _ in range(1 + int(rng.random() < 0.3)):
        target = joints[int(rng.integers(21))] + rng.normal(0, 0.02, 3)
        share = rng.uniform(0.5, 0.85)
        centre = target * share
        radius = share * rng.uniform(0.004, 0.026)
        axis = rng.normal(0, 1, 3) * [1, 1, 0.3]
        pieces.append(
            _limb(rng, radius, centre, axis)
            if rng.random() < 0.3
            else _thing(rng, _SHAPES[int(rng.integers(6))], radius, centre, axis / np.linalg.norm(axis))
        )
    return pieces


def bystanders(rng: np.random.Generator, joints: Doubles, K: Doubles, size: int) -> list[Mesh]:
    """Things and limbs behind and beside the hand, solid and lit as it is."""
    pieces = []
    depth = float(joints[:, 2].max())
    for _ in range(int(rng.integers(1, 5))):
        z = depth + rng.uniform(0.03, 0.5)
        pixel = rng.uniform(-0.1, 1.1, 2) * size
        centre = np.array([*((pixel - K[:2, 2]) / K[0, 0] * z), z])
        radius = float(np.exp(rng.uniform(np.log(0.008), np.log(0.08))))
        axis = rng.normal(0, 1, 3)
        axis /= np.linalg.norm(axis)
        if rng.random() < 0.25:
            pieces.append(_limb(rng, min(radius, 0.045), centre, axis))
        else:
            pieces.append(_thing(rng, _SHAPES[int(rng.integers(6))], radius, centre + np.array([0, 0, radius]), axis))
    return pieces


def _limb(rng: np.random.Generator, radius: float, centre: Doubles, axis: Doubles) -> Mesh:
    """A tapered tube of skin or cloth with round ends: a finger, an arm."""
    half, taper = radius * rng.uniform(2.5, 8), rng.uniform(0.55, 1)
    heights = np.array([-1.12, -1.08, -1, -0.5, 0, 0.5, 1, 1.08, 1.12])
    radii = np.array([0, 0.6, 1, 1.02, 0.98, 0.9, 0.85, 0.55, 0]) * np.linspace(1, taper, 9)
    vertices, faces, uv = lathe(np.stack([radii * radius, heights * half], -1), 14)
    turned = vertices @ _frame(rng, axis / np.linalg.norm(axis)) + centre
    skin = rng.random() < 0.7
    texture = arm_texture(rng, sample_tone(rng)) if skin else wall(rng, TEXTURE_SIDE)
    return make_mesh(turned, faces, uv, Surface(texture, 0.06 if skin else 0.01, 4, 0.5 if skin else 0.0))
