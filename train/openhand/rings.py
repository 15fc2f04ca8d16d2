"""The structured part of the mesh: rings of vertices around each digit, a rounded tip, and the ring at the wrist."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.implicit import PALM, HandSurface
from s2hand.train.openhand.skeleton import DIGITS, Array, Skeleton, digit_joints, hand_axes

SIDES = 10
WRIST_SIDES = 16
WRIST_CUT = -15.0
"""Distal place of the wrist's boundary, millimetres."""
_INFLATE = 1.03  # a ring of ten chords is thinner than the section it stands for


@dataclass(frozen=True)
class DigitMesh:
    """Vertices [N, 3] and faces [M, 3] of one digit; its first `SIDES` vertices are the open base ring."""

    vertices: Array
    faces: npt.NDArray[np.int64]
    base_centre: Array
    base_normal: Array


_FAR = 45.0  # millimetres: no ray stays inside for longer


def cast(surface: HandSurface, owner: int, origins: Array, directions: Array) -> Array:
    """Where rays [N, 3] from inside first leave the surface: bisection, distances [N] in millimetres."""
    steps = np.linspace(0.0, _FAR, 61)
    places = origins + steps[:, None, None] * directions
    outside = surface.value(places.reshape(-1, 3), owner).reshape(len(steps), -1) > 0.0
    first = np.argmax(outside, axis=0)
    low, high = steps[np.maximum(first - 1, 0)], steps[first]
    for _ in range(24):
        middle = 0.5 * (low + high)
        out = surface.value(origins + middle[:, None] * directions, owner) > 0.0
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    return np.asarray(np.round(0.5 * (low + high), 6))


def ring_faces(first: int, second: int, sides: int) -> list[tuple[int, int, int]]:
    """The band between two aligned rings that start at vertices `first` and `second` (further along)."""
    faces = []
    for corner in range(sides):
        here, following = corner, (corner + 1) % sides
        faces.append((first + here, first + following, second + following))
        faces.append((first + here, second + following, second + here))
    return faces


def _stations(digit: str, lengths: Array) -> list[tuple[int, float, bool]]:
    """(bone, millimetres along it, tilted to the joint's bisector?) of the digit's rings, base first."""
    _, second, third = lengths
    if digit == "thumb":
        rings = [(0, lengths[0] - 8.0, False), (1, 0.0, True), (1, 8.0, False), (1, second - 8.0, False)]
    else:
        rings = [(0, 0.47 * lengths[0], False), (0, lengths[0] - 6.5, False), (1, 0.0, True), (1, 6.0, False)]
        rings.append((1, second - 5.5, False))
    return [*rings, (2, 0.0, True), (2, 5.5, False), (2, third - 9.0, False)]


def _ring_rays(skeleton: Skeleton, joints: tuple[int, int, int], bone: int, along: float, tilted: bool) -> Array:
    """Origin and `SIDES` directions [1 + SIDES, 3] of one ring; direction 0 is the back, then towards the thumb."""
    axes = skeleton.axes[joints[bone]]
    direction, side = axes[0], axes[1]
    if tilted:
        direction = direction + skeleton.axes[joints[bone - 1], 0]
        direction = direction / np.linalg.norm(direction)
    up = np.cross(direction, side)
    angles = 2.0 * np.pi * np.arange(SIDES) / SIDES
    rays = np.cos(angles)[:, None] * up - np.sin(angles)[:, None] * side
    origin = skeleton.joints[joints[bone]] + along * axes[0]
    return np.concatenate([origin[None], rays])


def _tip_faces(ring: int) -> list[tuple[int, int, int]]:
    """Closes a ring of ten at vertex `ring` with a following ring of five and a tip vertex."""
    faces, five, tip = [], ring + SIDES, ring + SIDES + 5
    for corner in range(5):
        left, middle, right = 2 * corner, 2 * corner + 1, (2 * corner + 2) % SIDES
        here, following = five + corner, five + (corner + 1) % 5
        faces.append((ring + left, ring + middle, here))
        faces.append((ring + middle, following, here))
        faces.append((ring + middle, ring + right, following))
        faces.append((here, following, tip))
    return faces


def digit_mesh(surface: HandSurface, skeleton: Skeleton, number: int) -> DigitMesh:
    """The mesh of one digit (0 the thumb): its last vertex is the fingertip."""
    digit = DIGITS[number]
    joints = digit_joints(digit)
    ends = [*(skeleton.joints[j] for j in joints), skeleton.tips[number]]
    lengths = np.array([np.linalg.norm(ends[i + 1] - ends[i]) for i in range(3)])
    stations = _stations(digit, lengths)
    blocks = []
    for bone, along, tilted in stations:
        rays = _ring_rays(skeleton, joints, bone, along, tilted)
        origins = np.repeat(rays[:1], SIDES, axis=0)
        blocks.append(origins + _INFLATE * cast(surface, number, origins, rays[1:])[:, None] * rays[1:])
    blocks.extend(_cap(surface, skeleton, number, float(lengths[2])))
    rings = len(stations) + 2
    faces = [face for ring in range(rings - 1) for face in ring_faces(ring * SIDES, ring * SIDES + SIDES, SIDES)]
    faces.extend(_tip_faces((rings - 1) * SIDES))
    base = _ring_rays(skeleton, joints, *stations[0])
    return DigitMesh(np.concatenate(blocks), np.array(faces), base[0], skeleton.axes[joints[0], 0])


def _cap(surface: HandSurface, skeleton: Skeleton, number: int, length: float) -> list[Array]:
    """Two rings of ten, one of five and the tip, by rays that fan out from inside the pulp."""
    joint = digit_joints(DIGITS[number])[2]
    rays = _ring_rays(skeleton, digit_joints(DIGITS[number]), 2, length - 8.0, False)
    blocks = []
    for degrees, count in ((62.0, SIDES), (38.0, SIDES), (19.0, 5), (0.0, 1)):
        out = rays[1 :: SIDES // count]
        fan = np.sin(np.deg2rad(degrees)) * out + np.cos(np.deg2rad(degrees)) * skeleton.axes[joint, 0]
        origins = np.repeat(rays[:1], len(fan), axis=0)
        blocks.append(origins + _INFLATE * cast(surface, number, origins, fan)[:, None] * fan)
    return blocks


def wrist_ring(surface: HandSurface) -> Array:
    """`WRIST_SIDES` points around the cut at the wrist, evenly spaced along its outline."""
    angles = 2.0 * np.pi * np.arange(512) / 512
    rays = np.stack([np.zeros(512), np.cos(angles), np.sin(angles)], axis=1)
    origins = np.repeat(hand_axes(WRIST_CUT, -1.0, 0.0)[None], 512, axis=0)
    outline = origins + cast(surface, PALM, origins, rays)[:, None] * rays
    closed = np.concatenate([outline, outline[:1]])
    places = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    wanted = places[-1] * np.arange(WRIST_SIDES) / WRIST_SIDES
    return np.round(np.stack([np.interp(wanted, places, closed[:, k]) for k in range(3)], axis=1), 6)
