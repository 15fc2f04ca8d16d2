"""The template's triangles: ringed digits, a remeshed palm between them, 778 vertices and 1538 faces in all."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage import measure

from s2hand.train.openhand.implicit import PALM, HandSurface
from s2hand.train.openhand.remesh import Patch, remesh
from s2hand.train.openhand.rings import SIDES, WRIST_CUT, WRIST_SIDES, DigitMesh, digit_mesh, wrist_ring
from s2hand.train.openhand.skeleton import DIGITS, Array, Skeleton, digit_joints

Ints = npt.NDArray[np.int64]
_marching_cubes: Any = measure.marching_cubes  # it has no types
VERTICES = 778
FACES = 1538
_VOXEL = np.array([3.4, 3.2, 2.2])  # finer across the hand, where fingers stand close
_GAP = 2.2  # millimetres between the marching cubes' ragged edge and the ring that it is zipped to


@dataclass(frozen=True)
class HandMesh:
    """Vertices [778, 3] in millimetres, faces [1538, 3] outward, the part each vertex lies on, the fingertips [5]."""

    vertices: Array
    faces: Ints
    owners: Ints
    fingertips: Ints

    def __post_init__(self) -> None:
        if self.vertices.shape != (VERTICES, 3) or self.faces.shape != (FACES, 3):
            raise ValueError(
                f"the hand's mesh must have {VERTICES} vertices and {FACES} faces, "
                f"found {self.vertices.shape} and {self.faces.shape}"
            )


def boundary_loops(faces: Ints) -> list[list[int]]:
    """The open edges of a mesh as loops of vertices, in the direction in which the faces traverse them."""
    edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3)}
    following = {a: b for a, b in sorted(edges) if (b, a) not in edges}
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (after := following.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(loop)
    return loops


def _march(surface: HandSurface) -> tuple[Array, Ints]:
    """The palm and the first phalanges as a triangle soup of marching cubes, outward, quantised."""
    low, high = np.array([-150.0, -65.0, -70.0]), np.array([WRIST_CUT * -1 + 8.0, 35.0, 95.0])
    axes = [np.arange(a, b, step) for a, b, step in zip(low, high, _VOXEL, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = np.round(surface.value(grid.reshape(-1, 3), PALM), 6).reshape(grid.shape[:3])
    vertices, faces, _, _ = _marching_cubes(values, 0.0)
    vertices = np.round(vertices.astype(np.float64) * _VOXEL + low, 5)
    corners = vertices[faces]
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return vertices, faces.astype(np.int64) if volume > 0 else faces[:, ::-1].astype(np.int64)


def _beyond_rings(vertices: Array, digits: list[DigitMesh]) -> npt.NDArray[np.bool_]:
    """Which vertices lie past the wrist's cut or past a digit's base ring."""
    along, aside = np.empty((2, len(digits), len(vertices)))
    for row, digit in enumerate(digits):
        away = vertices - digit.base_centre
        along[row] = away @ digit.base_normal
        aside[row] = np.linalg.norm(away - along[row, :, None] * digit.base_normal, axis=1)
    nearest = np.argmin(aside, axis=0)[None]
    past = np.take_along_axis(along, nearest, axis=0)[0] > -_GAP
    near = np.take_along_axis(aside, nearest, axis=0)[0] < 16.0
    return np.asarray((past & near) | (-vertices[:, 0] < WRIST_CUT + _GAP))


def _clean(faces: Ints) -> Ints:
    """The largest connected part, after removing faces until no boundary touches itself at a vertex."""
    while True:
        edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3)}
        leaving: dict[int, int] = {}
        for a, b in edges:
            if (b, a) not in edges:
                leaving[a] = leaving.get(a, 0) + 1
        pinched = np.array(sorted(v for v, count in leaving.items() if count > 1), dtype=np.int64)
        if not len(pinched):
            break
        faces = faces[~np.isin(faces, pinched).any(axis=1)]
    labels = np.arange(faces.max() + 1)
    while True:
        low = labels[faces].min(axis=1)
        before = labels.copy()
        np.minimum.at(labels, faces, low[:, None])
        labels = labels[labels]
        if (labels == before).all():
            break
    names, counts = np.unique(labels[faces[:, 0]], return_counts=True)
    return np.asarray(faces[labels[faces[:, 0]] == names[np.argmax(counts)]])


def _zip(vertices: Array, open_loop: list[int], ring: list[int]) -> list[tuple[int, int, int]]:
    """Triangles between a loop of open edges and a ring that runs in the same sense, by shortest diagonals."""
    distance = np.linalg.norm(vertices[open_loop] - vertices[ring[0]], axis=1)
    start = int(np.argmin(np.round(distance, 5)))
    loop = [*open_loop[start:], *open_loop[:start]]
    loop.append(loop[0])
    target = [*ring, ring[0]]
    faces = []
    i = j = 0
    while i < len(loop) - 1 or j < len(target) - 1:
        onward = np.inf if i == len(loop) - 1 else np.linalg.norm(vertices[loop[i + 1]] - vertices[target[j]])
        across = np.inf if j == len(target) - 1 else np.linalg.norm(vertices[loop[i]] - vertices[target[j + 1]])
        if np.round(onward, 5) <= np.round(across, 5):
            faces.append((loop[i + 1], loop[i], target[j]))
            i += 1
        else:
            faces.append((loop[i], target[j], target[j + 1]))
            j += 1
    return faces


def _stitch(vertices: Array, faces: Ints, rings: list[Ints]) -> Ints:
    """Zips every ring to the open loop around its centre."""
    stitched = [faces]
    loops = boundary_loops(faces)
    centres = np.array([vertices[loop].mean(axis=0) for loop in loops])
    for ring in rings:
        nearest = int(np.argmin(np.linalg.norm(centres - vertices[ring].mean(axis=0), axis=1)))
        loop = loops[nearest]
        order = list(ring)
        if _turning(vertices[loop]) @ _turning(vertices[order]) < 0.0:
            order = order[::-1]
        stitched.append(np.array(_zip(vertices, loop, [int(v) for v in order])))
    return np.concatenate(stitched)


def _turning(loop: Array) -> Array:
    """The vector area of a closed loop [N, 3]."""
    return np.asarray(np.cross(loop - loop.mean(axis=0), np.roll(loop, -1, axis=0) - loop.mean(axis=0)).sum(axis=0))


def build_mesh(surface: HandSurface, skeleton: Skeleton) -> HandMesh:
    """The mesh of the mean hand at rest."""
    digits = [digit_mesh(surface, skeleton, number) for number in range(5)]
    rings = [digit.vertices[:SIDES] for digit in digits] + [wrist_ring(surface)]
    march, march_faces = _march(surface)
    march_faces = _clean(march_faces[~_beyond_rings(march, digits)[march_faces].any(axis=1)])
    used, march_faces = np.unique(march_faces, return_inverse=True)
    march_faces = march_faces.reshape(-1, 3)
    fixed = np.concatenate(rings)
    starts = np.cumsum([0, *(len(ring) for ring in rings)])
    indices = [np.arange(a, b) for a, b in pairwise(starts)]
    vertices = np.concatenate([fixed, march[used]])
    faces = _stitch(vertices, march_faces + len(fixed), indices)
    free = VERTICES - sum(len(digit.vertices) for digit in digits) - WRIST_SIDES
    bases = [digit_joints(digit)[0] for digit in DIGITS[1:]]
    knuckles = skeleton.joints[bases] + 7.0 * skeleton.axes[bases, 2]  # their backs
    palm = remesh(Patch(vertices, faces, len(fixed)), surface, knuckles, free)
    return _join(palm, digits)


def _join(palm: Patch, digits: list[DigitMesh]) -> HandMesh:
    """Digits first (thumb to little), then wrist ring and palm."""
    blocks, faces, owners, tips, renamed = [], [], [], [], []
    count = 0
    for number, digit in enumerate(digits):
        blocks.append(digit.vertices)
        faces.append(digit.faces + count)
        owners.append(np.full(len(digit.vertices), number))
        renamed.append(np.arange(count, count + SIDES))
        count += len(digit.vertices)
        tips.append(count - 1)
    rest = palm.vertices[5 * SIDES :]
    names = np.concatenate([*renamed, np.arange(count, count + len(rest))])
    blocks.append(rest)
    owners.append(np.full(len(rest), PALM))
    faces.append(names[palm.faces])
    return HandMesh(np.concatenate(blocks), np.concatenate(faces), np.concatenate(owners), np.array(tips))
