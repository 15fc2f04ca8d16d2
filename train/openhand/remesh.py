"""An isotropic remesher for the palm: split, collapse, flip, relax, project, down to an exact number of vertices."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.implicit import PALM, HandSurface
from s2hand.train.openhand.skeleton import Array

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Patch:
    """Vertices [N, 3] (millimetres) and faces [M, 3]; the first `fixed` vertices and the edges among them stay."""

    vertices: Array
    faces: Ints
    fixed: int


Point = tuple[float, float, float]
Face = tuple[int, int, int]

_STRENGTH = 0.5  # of the way to its neighbours' mean that a vertex goes at a time


def _minus(a: Point, b: Point) -> Point:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _middle(a: Point, b: Point) -> Point:
    return (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2]))


def _normal(a: Point, b: Point, c: Point) -> Point:
    u, v = _minus(b, a), _minus(c, a)
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])


def _alike(a: Point, b: Point) -> float:
    """The cosine between two directions."""
    return _dot(a, b) / (sqrt(_dot(a, a) * _dot(b, b)) + 1e-12)


def _largest_cosine(a: Point, b: Point, c: Point) -> float:
    """The cosine of a triangle's smallest angle."""
    ab, bc, ca = _minus(b, a), _minus(c, b), _minus(a, c)
    return max(-_alike(ab, ca), -_alike(bc, ab), -_alike(ca, bc))


class _Editor:
    """Triangles that can be edited: positions, faces by number, and the faces around each vertex.

    Plain floats: for one triangle at a time they are ten times as fast as arrays.
    """

    def __init__(self, patch: Patch, knuckles: Array) -> None:
        self.points: list[Point] = [(float(x), float(y), float(z)) for x, y, z in patch.vertices]
        self.faces: dict[int, Face] = {}
        self.around: dict[int, set[int]] = {v: set() for v in range(len(self.points))}
        self.fixed = patch.fixed
        self.knuckles: list[Point] = [(float(x), float(y), float(z)) for x, y, z in knuckles]
        self.next_face = 0
        for a, b, c in patch.faces:
            self.add(int(a), int(b), int(c))

    def add(self, a: int, b: int, c: int) -> None:
        self.faces[self.next_face] = (a, b, c)
        for v in (a, b, c):
            self.around[v].add(self.next_face)
        self.next_face += 1

    def remove(self, face: int) -> None:
        for v in self.faces.pop(face):
            self.around[v].discard(face)

    def renamed(self, face: int, old: int, new: int) -> Face:
        a, b, c = (new if v == old else v for v in self.faces[face])
        return (a, b, c)

    def free_count(self) -> int:
        return sum(1 for v, faces in self.around.items() if faces and v >= self.fixed)

    def edges(self) -> list[tuple[int, int]]:
        """Inner edges, in a fixed order: those of two fixed vertices are left out."""
        found: set[tuple[int, int]] = set()
        for a, b, c in self.faces.values():
            found.update(((a, b) if a < b else (b, a), (b, c) if b < c else (c, b), (c, a) if c < a else (a, c)))
        return sorted(edge for edge in found if edge[1] >= self.fixed)

    def size(self, point: Point) -> float:
        """The wanted edge length here, relative: finer at the knuckles, coarser in the middle of the palm."""
        nearest = sqrt(min(_dot(away, away) for away in (_minus(point, knuckle) for knuckle in self.knuckles)))
        return 0.64 + 0.50 * min(max((nearest - 12.0) / 34.0, 0.0), 1.0)

    def length(self, a: int, b: int) -> float:
        """Edge length relative to the size wanted at its middle, rounded so that ties break alike everywhere."""
        first, second = self.points[a], self.points[b]
        away = _minus(first, second)
        return round(sqrt(_dot(away, away)) / self.size(_middle(first, second)), 5)

    def pair(self, a: int, b: int) -> list[int]:
        return sorted(self.around[a] & self.around[b])

    def opposite(self, face: int, a: int, b: int) -> int:
        return next(v for v in self.faces[face] if v not in (a, b))

    def neighbours(self, v: int) -> set[int]:
        return {w for face in self.around[v] for w in self.faces[face]} - {v}

    def split(self, a: int, b: int) -> None:
        middle = len(self.points)
        self.points.append(_middle(self.points[a], self.points[b]))
        self.around[middle] = set()
        for face in self.pair(a, b):
            halves = [self.renamed(face, old, middle) for old in (a, b)]
            self.remove(face)
            for half in halves:
                self.add(*half)

    def _bends(self, v: int, target: Point, spared: set[int]) -> bool:
        """Whether a face around v would turn far when v moves to the target."""
        for face in self.around[v] - spared:
            corners = [self.points[w] for w in self.faces[face]]
            moved = [target if w == v else self.points[w] for w in self.faces[face]]
            if _alike(_normal(*corners), _normal(*moved)) < 0.3:
                return True
        return False

    def collapse(self, a: int, b: int, longest: float) -> bool:
        """Merges b, which is free, into a when that keeps the surface a manifold and turns no face over."""
        shared = self.around[a] & self.around[b]
        if len(self.neighbours(a) & self.neighbours(b)) != 2 or len(shared) != 2:
            return False
        target = self.points[a] if a < self.fixed else _middle(self.points[a], self.points[b])
        if self._bends(a, target, shared) or self._bends(b, target, shared):
            return False
        reach = longest * self.size(target)
        for w in self.neighbours(a) | self.neighbours(b):
            away = _minus(self.points[w], target)
            if w not in (a, b) and sqrt(_dot(away, away)) > reach:
                return False
        moved = [self.renamed(face, b, a) for face in sorted(self.around[b] - shared)]
        for face in sorted(self.around[b]):
            self.remove(face)
        for corners in moved:
            self.add(*corners)
        self.points[a] = target
        return True

    def flip(self, a: int, b: int) -> bool:
        """Turns the edge when that makes the smallest angle of its two triangles larger and keeps them flat."""
        faces = self.pair(a, b)
        if len(faces) != 2:
            return False
        c, d = (self.opposite(face, a, b) for face in faces)
        if d in self.neighbours(c):
            return False
        corners = self.faces[faces[0]]
        if corners[(corners.index(a) + 1) % 3] != b:
            c, d = d, c
        pa, pb, pc, pd = (self.points[v] for v in (a, b, c, d))
        first, second = _normal(pa, pb, pc), _normal(pb, pa, pd)
        reference = (first[0] + second[0], first[1] + second[1], first[2] + second[2])
        if min(_alike(_normal(pa, pd, pc), reference), _alike(_normal(pd, pb, pc), reference)) <= 0.5:
            return False
        now = max(_largest_cosine(pa, pb, pc), _largest_cosine(pb, pa, pd))
        if round(max(_largest_cosine(pa, pd, pc), _largest_cosine(pd, pb, pc)) - now, 6) >= -1e-4:
            return False
        for face in faces:
            self.remove(face)
        self.add(a, d, c)
        self.add(d, b, c)
        return True

    def relax(self, surface: HandSurface) -> None:
        """Moves free vertices towards their neighbours' mean along the surface, then back onto it."""
        free = [v for v in sorted(self.around) if v >= self.fixed and self.around[v]]
        here = np.array([self.points[v] for v in free])
        mean = np.empty_like(here)
        for row, v in enumerate(free):
            ring = sorted(self.neighbours(v))
            weights = [self.length(v, w) for w in ring]
            total = sum(weights)
            for k in range(3):
                mean[row, k] = sum(g * self.points[w][k] for g, w in zip(weights, ring, strict=True)) / total
        _, gradient = surface.field_and_gradient(here, PALM)
        normal = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
        shift = mean - here
        shift -= np.sum(shift * normal, axis=1, keepdims=True) * normal
        there = np.round(surface.project(here + _STRENGTH * shift, PALM, steps=3), 6)
        for row, v in enumerate(free):
            self.points[v] = (float(there[row, 0]), float(there[row, 1]), float(there[row, 2]))

    def patch(self) -> Patch:
        used = sorted(v for v, faces in self.around.items() if faces)
        names = {v: row for row, v in enumerate(used)}
        faces = np.array([[names[v] for v in self.faces[f]] for f in sorted(self.faces)])
        return Patch(np.array([self.points[v] for v in used]), faces, self.fixed)


def _pass(editor: _Editor, surface: HandSurface, target: float) -> None:
    for a, b in editor.edges():
        if editor.pair(a, b) and editor.length(a, b) > 1.33 * target:
            editor.split(a, b)
    for a, b in editor.edges():
        if editor.around[a] and editor.around[b] and editor.pair(a, b) and editor.length(a, b) < 0.8 * target:
            editor.collapse(a, b, 1.33 * target)
    _flip_all(editor)
    editor.relax(surface)


def _flip_all(editor: _Editor) -> None:
    for _ in range(3):
        if not sum(editor.flip(a, b) for a, b in editor.edges()):
            return


def _settle(editor: _Editor, surface: HandSurface, wanted: int) -> None:
    """Collapses the shortest or splits the longest edges until the number of free vertices is exact."""
    while (missing := wanted - editor.free_count()) != 0:
        edges = sorted(editor.edges(), key=lambda edge: (editor.length(*edge), edge))
        if missing > 0:
            editor.split(*edges[-1])
        elif not any(editor.collapse(a, b, 1e9) for a, b in edges):
            raise RuntimeError("the palm can't be simplified to the number of vertices wanted")
        _flip_all(editor)
    for _ in range(12):
        _flip_all(editor)
        editor.relax(surface)


def remesh(patch: Patch, surface: HandSurface, knuckles: Array, wanted: int) -> Patch:
    """The patch with exactly `wanted` free vertices, finer near `knuckles` [K, 3]."""
    editor = _Editor(patch, knuckles)
    target = 9.0
    for _ in range(14):
        _pass(editor, surface, target)
        target *= float(np.clip(np.sqrt(editor.free_count() / wanted), 0.9, 1.1))
    _settle(editor, surface, wanted)
    return editor.patch()
