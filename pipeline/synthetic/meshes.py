"""Triangle meshes of a scene: the pieces, how they look, and their union that is drawn in one pass."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from s2hand.pipeline.synthetic.noise import Bytes, Floats

Ints = NDArray[np.int32]

TEXTURE_SIDE = 48
"""Textures of pieces are squares of this side."""


@dataclass(frozen=True)
class Surface:
    """How a piece reflects light. `texture` [48, 48, 3] uint8 sRGB, or None for the hand, which has its own maps.

    specular: strength of highlights; gloss: how many times the cosine is squared; scatter: light under the surface.
    """

    texture: Bytes | None
    specular: float = 0.05
    gloss: int = 4
    scatter: float = 0.0


@dataclass(frozen=True)
class Mesh:
    """One piece in camera coordinates, metres. Faces turn counter-clockwise when seen from outside."""

    vertices: Floats  # [V, 3]
    faces: Ints  # [F, 3]
    normals: Floats  # [V, 3] outward, of length 1
    uv: Floats  # [V, 2] texture coordinates, period 1
    surface: Surface
    is_hand: bool = False

    def __post_init__(self) -> None:
        count = len(self.vertices)
        for name, width in (("vertices", 3), ("normals", 3), ("uv", 2)):
            if getattr(self, name).shape != (count, width):
                raise ValueError(f"Mesh.{name}: expected {(count, width)}, found {getattr(self, name).shape}")


def make_mesh(vertices: Floats, faces: Ints, uv: Floats, surface: Surface) -> Mesh:
    """A piece with smooth normals."""
    vertices = np.ascontiguousarray(vertices, np.float32)
    return Mesh(vertices, faces, vertex_normals(vertices, faces), uv.astype(np.float32), surface)


@numba.njit(cache=True, fastmath=True)
def vertex_normals(vertices, faces):  # type: ignore[no-untyped-def]
    """Area-weighted vertex normals [V, 3] float32 of a mesh: vertices [V, 3] float32, faces [F, 3] int32."""
    normals = np.zeros((vertices.shape[0], 3), np.float32)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for i in range(vertices.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + np.float32(1e-20)
        for k in range(3):
            normals[i, k] /= length
    return normals


@dataclass(frozen=True)
class Tessellation:
    """Every face cut into four at its edges' midpoints; part k of face f is face 4 f + k, part 3 in the middle."""

    faces: Ints  # [4F, 3]
    edges: Ints  # [E, 2] the ends of each midpoint; midpoint e is vertex V + e


def plan_tessellation(faces: Ints, vertices: int) -> Tessellation:
    """Number the midpoints of a mesh of `vertices` vertices."""
    pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, inverse = np.unique(pairs, axis=0, return_inverse=True)
    ab, bc, ca = (inverse.reshape(-1, 3) + vertices).T
    a, b, c = faces.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    fine = np.stack([np.stack(part, -1) for part in parts], 1).reshape(-1, 3)
    return Tessellation(fine.astype(np.int32), edges.astype(np.int32))


def tessellate(vertices: Floats, faces: Ints, plan: Tessellation) -> Floats:
    """Vertices [V + E, 3] of the refined, rounder mesh; the first V stay where they are.

    Phong tessellation (Boubekeur and Alexa 2008): a midpoint moves three quarters of the way to the mean of its
    projections on the tangent planes of the edge's ends.
    """
    normals = vertex_normals(vertices, faces)
    a, b = vertices[plan.edges[:, 0]], vertices[plan.edges[:, 1]]
    na, nb = normals[plan.edges[:, 0]], normals[plan.edges[:, 1]]
    half = (b - a) / 2
    lift = na * (half * na).sum(1, keepdims=True) - nb * (half * nb).sum(1, keepdims=True)
    return np.concatenate([vertices, (a + b) / 2 - np.float32(0.375) * lift]).astype(np.float32)


def loft_faces(rings: int, sides: int) -> Ints:
    """Faces between `rings` closed rings of `sides` vertices each, ring after ring.

    They face outward when a ring, seen from the end towards which the rings advance, runs counter-clockwise.
    """
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    a, b = ring * sides + side, ring * sides + (side + 1) % sides
    quads = np.stack([a, b, b + sides, a, b + sides, a + sides], -1)
    return quads.reshape(-1, 3).astype(np.int32)


def lathe(profile: Floats, sides: int = 20) -> tuple[Floats, Ints, Floats]:
    """A body of revolution about z: profile [R, 2] of (radius, height), heights rising -> vertices, faces, uv.

    Ends of radius 0 close it. uv: once around, once along.
    """
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    rings = profile[:, None, :1] * circle[None]
    heights = np.broadcast_to(profile[:, 1, None, None], (len(profile), sides, 1))
    vertices = np.concatenate([rings, heights], -1).reshape(-1, 3)
    around = np.abs(np.linspace(-1, 1, sides, endpoint=False))  # there and back: no seam
    along = np.linspace(0, 1, len(profile))
    uv = np.stack(np.broadcast_arrays(around[None], along[:, None]), -1).reshape(-1, 2)
    return vertices.astype(np.float32), loft_faces(len(profile), sides), uv.astype(np.float32)


_RIM = 0.06  # of a brick's texture that no face shows, at either side


def brick(size: Floats) -> tuple[Floats, Ints, Floats]:
    """A box with sides `size` [3] about the origin -> vertices [24, 3], faces [12, 3], uv; corners are not shared."""
    vertices: list[Floats] = []
    faces: list[list[int]] = []
    uv: list[Floats] = []
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    for axis in range(3):
        for sign in (-1, 1):
            corners = np.zeros((4, 3), np.float32)
            corners[:, (axis + 1) % 3] = square[:, 0]
            corners[:, (axis + 2) % 3] = square[:, 1] * sign  # reversed on the far side: outward either way
            corners[:, axis] = sign
            start = 4 * len(vertices)
            vertices.append(corners * size / 2)
            faces += [[start, start + 1, start + 2], [start, start + 2, start + 3]]
            uv.append((square + 1) / 2 * (1 - 2 * _RIM) + _RIM)
    return np.concatenate(vertices), np.array(faces, np.int32), np.concatenate(uv).astype(np.float32)


@dataclass(frozen=True)
class Scene:
    """The union of pieces, as the rasterizer and the shader want it."""

    vertices: Floats  # [V, 3]
    faces: Ints  # [F, 3]
    normals: Floats
    uv: Floats
    piece: Ints  # [F] which piece a face is of
    pieces: tuple[Mesh, ...]
    first_face: Ints  # [P] of each piece
    coarse: Ints  # faces of the first piece, the hand, before it was refined: enough for its shadow


def join(pieces: list[Mesh], coarse: Ints) -> Scene:
    """Put pieces together, the hand first; `coarse` are its faces before refinement (its first vertices)."""
    vertex_start = np.cumsum([0, *(len(p.vertices) for p in pieces)])
    face_start = np.cumsum([0, *(len(p.faces) for p in pieces)])
    return Scene(
        np.concatenate([p.vertices for p in pieces]),
        np.concatenate([p.faces + np.int32(s) for p, s in zip(pieces, vertex_start, strict=False)]),
        np.concatenate([p.normals for p in pieces]),
        np.concatenate([p.uv for p in pieces]),
        np.repeat(np.arange(len(pieces), dtype=np.int32), [len(p.faces) for p in pieces]),
        tuple(pieces),
        face_start[:-1].astype(np.int32),
        coarse,
    )
