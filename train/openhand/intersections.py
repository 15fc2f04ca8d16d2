"""Where a mesh goes through itself: edges against triangles, exactly enough for a test, in plain numpy."""

import numpy as np
import numpy.typing as npt

from s2hand.train.openhand.skeleton import Array

Ints = npt.NDArray[np.int64]


def _candidates(low: Array, high: Array, edge_low: Array, edge_high: Array) -> tuple[Ints, Ints]:
    """Pairs (edge, face) whose boxes overlap."""
    edges, faces = [], []
    for start in range(0, len(edge_low), 256):
        part = slice(start, start + 256)
        meet = np.all((edge_low[part, None] <= high[None]) & (edge_high[part, None] >= low[None]), axis=2)
        edge, face = np.nonzero(meet)
        edges.append(edge + start)
        faces.append(face)
    return np.concatenate(edges), np.concatenate(faces)


def crossing_faces(vertices: Array, faces: Ints) -> Ints:
    """The faces (sorted, unique) of a mesh [V, 3], [F, 3] that an edge elsewhere in it passes through."""
    corners = vertices[faces]
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges = np.unique(pairs, axis=0)
    ends = vertices[edges]
    edge, face = _candidates(corners.min(axis=1), corners.max(axis=1), ends.min(axis=1), ends.max(axis=1))
    apart = (edges[edge][:, :, None] != faces[face][:, None, :]).all(axis=(1, 2))
    edge, face = edge[apart], face[apart]
    start, along = ends[edge, 0], ends[edge, 1] - ends[edge, 0]
    origin = corners[face, 0]
    first, second = corners[face, 1] - origin, corners[face, 2] - origin
    cross = np.cross(along, second)
    scale = np.sum(first * cross, axis=1)
    safe = np.where(np.abs(scale) < 1e-12, np.inf, scale)  # an edge in the face's plane crosses nothing
    away = start - origin
    u = np.sum(away * cross, axis=1) / safe
    turned = np.cross(away, first)
    v = np.sum(along * turned, axis=1) / safe
    t = np.sum(second * turned, axis=1) / safe
    inside = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (t >= 0.0) & (t <= 1.0) & np.isfinite(safe)
    return np.unique(face[inside])
