"""How an image changes when the edges of what it shows move: the numba kernel for the CPU.

What a pixel shows jumps where a surface ends: at the mesh's border, and where it folds away from the camera. When
such an edge moves outward by v . n, the integral of the image over a pixel changes by

    (inside - outside) v . n ds      along the piece of edge in the pixel,

with `inside` and `outside` the colours just on either side (Reynolds' transport theorem; Li et al.,
"Differentiable Monte Carlo Ray Tracing through Edge Sampling", 2018). Here each edge is cut at the borders of the
pixels and into short pieces, and both colours are read in the middle of each: those of the nearest surface there,
so that what is hidden counts for nothing. One thread works on an image, in a fixed order: results repeat bit by bit.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from s2hand.train.render.kernels import BACKGROUND, FAR, MIN_AREA, MIN_DEPTH, NEAR, run_tasks

ASIDE = 1e-3
"""Pixels from an edge at which the colours on its sides are read."""

LONGEST = 0.25
"""Pixels of a piece of an edge: it counts as seen, or hidden, as a whole."""

ROUNDING = 1e-9
"""Pixels within which a place counts as being on a border."""

_TILE = 2  # pixels of a side of the tiles that faces are sorted into: the fewer, the shorter their lists
_MARGIN = 0.01  # pixels by which a face is taken to be larger: a point may be a little outside the image

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


def edge_topology(faces: NDArray[np.integer]) -> tuple[Ints, Ints]:
    """The edges of a mesh [F, 3]: their vertices [E, 2], and the faces on their two sides [E, 2], -1: none.

    An edge of one face, or of more than two, is a border of each of them.
    """
    corners = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    owners = np.tile(np.arange(len(faces), dtype=np.int32), 3)
    pairs, edge, count = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(edge, kind="stable")
    first = np.cumsum(count) - count
    shared = count == 2
    joined = np.stack([owners[order[first[shared]]], owners[order[first[shared] + 1]]], axis=1)
    single = order[~shared[edge[order]]]
    alone = np.stack([owners[single], np.full(len(single), -1)], axis=1)
    vertices = np.concatenate([pairs[shared], pairs[edge[single]]])
    return np.ascontiguousarray(vertices, np.int32), np.ascontiguousarray(np.concatenate([joined, alone]), np.int32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _measure(vertices, faces, areas, planes):  # type: ignore[no-untyped-def]
    """Fill in twice the signed area of every face, square pixels, 0 for one that is not drawn; and `planes`.

    These are the numbers that `_nearest` needs, side by side: u, v of the corners, their 1 / z, 1 / area, and by how
    much a weight changes, at most, from an edge to its sides.
    """
    for face in range(len(faces)):
        a, b, c = vertices[faces[face, 0]], vertices[faces[face, 1]], vertices[faces[face, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        in_front = MIN_DEPTH < a[2] < math.inf and MIN_DEPTH < b[2] < math.inf and MIN_DEPTH < c[2] < math.inf
        areas[face] = area if in_front and MIN_AREA < abs(area) < math.inf else 0.0
        plane = planes[face]
        plane[0], plane[1], plane[2], plane[3], plane[4], plane[5] = a[0], a[1], b[0], b[1], c[0], c[1]
        plane[6], plane[7], plane[8], plane[9] = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2], 1.0 / area
        width = max(a[0], b[0], c[0]) - min(a[0], b[0], c[0])
        height = max(a[1], b[1], c[1]) - min(a[1], b[1], c[1])
        plane[10] = 2.0 * ASIDE * (width + height) / abs(area)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _tile_range(low, high, count):  # type: ignore[no-untyped-def]
    """Return the first and the last tile of [0, count) that pixels [low, high] touch; last < first: none."""
    first = math.floor(min(max(low / _TILE, 0.0), float(count)))
    last = math.floor(min(max(high / _TILE, -1.0), count - 1.0))
    return int(first), int(last)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _face_tiles(vertices, corners, rows, columns):  # type: ignore[no-untyped-def]
    """Return first and last row and column of the tiles that a face may touch."""
    a, b, c = vertices[corners[0]], vertices[corners[1]], vertices[corners[2]]
    left, right = _tile_range(min(a[0], b[0], c[0]) - _MARGIN, max(a[0], b[0], c[0]) + _MARGIN, columns)
    top, bottom = _tile_range(min(a[1], b[1], c[1]) - _MARGIN, max(a[1], b[1], c[1]) + _MARGIN, rows)
    return top, bottom, left, right


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sort_into_tiles(vertices, faces, areas, rows, columns):  # type: ignore[no-untyped-def]
    """Return the drawn faces of each tile: their ends per tile [rows * columns + 1], and the faces."""
    ends = np.zeros(rows * columns + 1, np.int64)
    for face in range(len(faces)):
        if areas[face] != 0.0:
            top, bottom, left, right = _face_tiles(vertices, faces[face], rows, columns)
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    ends[row * columns + column + 1] += 1
    for tile in range(rows * columns):
        ends[tile + 1] += ends[tile]
    place, members = ends[:-1].copy(), np.empty(ends[-1], np.int32)
    for face in range(len(faces)):
        if areas[face] != 0.0:
            top, bottom, left, right = _face_tiles(vertices, faces[face], rows, columns)
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    members[place[row * columns + column]] = face
                    place[row * columns + column] += 1
    return ends, members


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _around(u, v, planes, members, found):  # type: ignore[no-untyped-def]
    """Put those of some faces that may be at a point, or a little aside, into `found`; return how many."""
    count = 0
    for face in members:
        plane = planes[face]
        scale, least = plane[9], -plane[10]
        xa, ya, xb, yb, xc, yc = plane[0] - u, plane[1] - v, plane[2] - u, plane[3] - v, plane[4] - u, plane[5] - v
        found[count] = face
        count += (
            ((xb * yc - xc * yb) * scale >= least)
            & ((xc * ya - xa * yc) * scale >= least)
            & ((xa * yb - xb * ya) * scale >= least)
        )
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _nearest(u, v, planes, members):  # type: ignore[no-untyped-def]
    """Return the nearest of some faces at a point, and the weights there of its corners, on the surface."""
    nearest, best, found = math.inf, BACKGROUND, (0.0, 0.0, 0.0)
    for face in members:
        plane = planes[face]
        xa, ya, xb, yb, xc, yc = plane[0] - u, plane[1] - v, plane[2] - u, plane[3] - v, plane[4] - u, plane[5] - v
        scale = plane[9]
        wa, wb, wc = (xb * yc - xc * yb) * scale, (xc * ya - xa * yc) * scale, (xa * yb - xb * ya) * scale
        if min(wa, wb, wc) < 0.0:
            continue
        wa, wb, wc = wa * plane[6], wb * plane[7], wc * plane[8]
        z = 1.0 / (wa + wb + wc)
        if NEAR < z < FAR and z < nearest:
            nearest, best, found = z, face, (wa * z, wb * z, wc * z)
    return best, found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_side(  # type: ignore[no-untyped-def]
    sign, face, weights, scene, slopes, row, column
):
    """Return sign times (dot product of `slopes` and what a point shows: its colour, and 1 if it is covered)."""
    faces, areas, front, back, background = scene
    colors = background.shape[0]
    total = 0.0
    if face == BACKGROUND:
        y, x = min(row, background.shape[1] - 1), min(column, background.shape[2] - 1)
        for channel in range(colors):
            total += slopes[channel, row, column] * background[channel, y, x]
        return sign * total
    side = back if areas[face] > 0.0 else front
    a, b, c = faces[face]
    for channel in range(colors):
        color = weights[0] * side[a, channel] + weights[1] * side[b, channel] + weights[2] * side[c, channel]
        total += slopes[channel, row, column] * color
    return sign * (total + slopes[colors, row, column])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _outward(vertices, faces, areas, edge, owners):  # type: ignore[no-untyped-def]
    """Return the outward normal of an edge that is a silhouette, times its length in pixels; else (0, 0).

    A silhouette belongs to one drawn face, or to two of which one turns its back: both lie on its inside.
    """
    first, second = owners[0], owners[1]
    one, other = areas[first], areas[second] if second >= 0 else 0.0
    if one * other > 0.0 or (one == 0.0 and other == 0.0):
        return 0.0, 0.0
    face = first if one != 0.0 else second
    a, b = vertices[edge[0]], vertices[edge[1]]
    x, y = b[0] - a[0], b[1] - a[1]
    for corner in faces[face]:
        if corner != edge[0] and corner != edge[1]:
            c = vertices[corner]
            inside = x * (c[1] - a[1]) - y * (c[0] - a[0])
            return (y, -x) if inside > 0.0 else (-y, x)
    return 0.0, 0.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _next_border(t, start, way):  # type: ignore[no-untyped-def]
    """Return the t, beyond the given one, at which start + t way comes to the next whole number."""
    if way == 0.0:
        return math.inf
    place = start + t * way
    border = math.floor(place + ROUNDING) + 1.0 if way > 0.0 else math.ceil(place - ROUNDING) - 1.0
    return (border - start) / way


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _move_edges(  # type: ignore[no-untyped-def]
    vertices, faces, edges, owners, front, back, background, slopes, out
):
    """Add one image's gradient at u, v of its vertices [V, 2] to `out`; slopes [C + 1, H, W]."""
    height, width = slopes.shape[1], slopes.shape[2]
    rows, columns = (height - 1) // _TILE + 1, (width - 1) // _TILE + 1
    areas, planes = np.empty(len(faces)), np.empty((len(faces), 11))
    _measure(vertices, faces, areas, planes)
    around = np.empty(len(faces) + 1, np.int32)
    ends, members = _sort_into_tiles(vertices, faces, areas, rows, columns)
    scene = (faces, areas, front, back, background)
    for edge in range(len(edges)):
        x, y = _outward(vertices, faces, areas, edges[edge], owners[edge])
        length = math.sqrt(x * x + y * y)
        if length == 0.0:
            continue
        x, y = x / length, y / length
        first, last = edges[edge, 0], edges[edge, 1]
        a, b = vertices[first], vertices[last]
        start, stop = _inside(a, b, width, height)
        # What is outside the image is cut off first: a corner may be so far out that pixels there are rounded away.
        left, top = a[0] + start * (b[0] - a[0]), a[1] + start * (b[1] - a[1])
        along, down = (stop - start) * (b[0] - a[0]), (stop - start) * (b[1] - a[1])
        length = math.sqrt(along * along + down * down)
        end = 0.0 if start < stop else 1.0
        while end < 1.0:
            begin = end
            end = min(1.0, begin + LONGEST / length)
            end = min(end, _next_border(begin, left, along), _next_border(begin, top, down))
            middle, step = (begin + end) / 2, end - begin
            u, v = left + middle * along, top + middle * down
            row, column = min(int(v), height - 1), min(int(u), width - 1)
            tile = row // _TILE * columns + column // _TILE
            count = _around(u, v, planes, members[ends[tile] : ends[tile + 1]], around)
            jump = 0.0
            for sign in (1.0, -1.0):
                face, weights = _nearest(u - sign * ASIDE * x, v - sign * ASIDE * y, planes, around[:count])
                jump += _add_side(sign, face, weights, scene, slopes, row, column)
            t, pull = start + middle * (stop - start), jump * step * length
            out[first, 0] += (1 - t) * pull * x
            out[first, 1] += (1 - t) * pull * y
            out[last, 0] += t * pull * x
            out[last, 1] += t * pull * y


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _inside(a, b, width, height):  # type: ignore[no-untyped-def]
    """Return the range of t in [0, 1] for which a + t (b - a) lies in the image; empty if start >= stop."""
    start, stop = 0.0, 1.0
    for axis in range(2):
        size = float(width) if axis == 0 else float(height)
        way = b[axis] - a[axis]
        if way == 0.0:
            if not 0.0 <= a[axis] < size:
                return 1.0, 0.0
            continue
        low, high = -a[axis] / way, (size - a[axis]) / way
        start, stop = max(start, min(low, high)), min(stop, max(low, high))
    return start, stop


def edge_gradients(
    vertices_px: NDArray[np.floating],  # [B, V, 3] u, v pixels, z metres
    faces: NDArray[np.integer],  # [F, 3]
    front: NDArray[np.floating],  # [B, V, C] colours of the vertices seen from the front
    back: NDArray[np.floating],  # [B, V, C] the same, seen from behind
    background: NDArray[np.floating],  # [B or 1, C, H or 1, W or 1]
    slopes: NDArray[np.floating],  # [B, C + 1, H, W] gradient at the image: its colours, then its silhouette
    threads: int | None = None,
    topology: tuple[Ints, Ints] | None = None,
) -> NDArray[np.float64]:  # [B, V, 2]
    """The part of the gradient at u, v of the vertices that the movement of silhouettes makes.

    topology: `edge_topology` of the faces, if it is known.
    """
    edges, owners = topology or edge_topology(faces)
    faces = np.ascontiguousarray(faces, np.int32)
    vertices, sides = np.ascontiguousarray(vertices_px, np.float64), (front, back)
    front, back = (np.ascontiguousarray(side, np.float64) for side in sides)
    background, slopes = np.ascontiguousarray(background, np.float64), np.ascontiguousarray(slopes, np.float64)
    out = np.zeros((*vertices.shape[:2], 2))

    def work(item: int) -> None:
        behind = background[min(item, len(background) - 1)]
        scene = (faces, edges, owners, front[item], back[item], behind, slopes[item])
        _move_edges(vertices[item], *scene, out[item])

    run_tasks(work, len(vertices), threads)
    return out
