"""The z-buffer: triangles on the image plane to face index, barycentric coordinates and depth, on the CPU.

Imports NumPy and numba only, so that worker processes that never load torch can draw with `rasterize_numpy`.
The kernel is serial code that releases the interpreter lock; `rasterize_batch` spreads images, or bands of
rows, over plain threads. Every pixel is worked out by one thread from the same inputs in the same order: the
result does not depend on the number of threads, and no thread survives the call for a fork to trip over.

Rules (neural_renderer's where it has one, so that images agree with it face by face):

- The centre of pixel (row, column) is at (column + 0.5, row + 0.5). v points down, row 0 is the top.
- A pixel belongs to a face when its centre lies inside or on any of the three edges. Edge functions are
  evaluated relative to the pixel centre, in float64: the two faces at a shared edge see exactly opposite
  values, so no pixel between them is lost.
- Barycentric weights are those of the screen, in [0, 1] with sum 1. Depth is perspective-correct,
  z = 1 / sum(w_k / z_k). A sample is drawn if near < z < far and z, as float32, is strictly smaller than what
  is there: of two faces at the same depth, the first in the list stays.
- Front faces turn counter-clockwise when seen with v pointing up. Back faces are drawn too, unless `cull`.
- A face is left out if its area is below `MIN_AREA`, or if a corner is not finite or nearer than `MIN_DEPTH`
  (neural_renderer draws corners behind the camera mirrored).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.process import core_count

NEAR = 0.1
"""Samples at this depth (metres) or nearer are not drawn, by default."""

FAR = 100.0
"""Samples at this depth (metres) or farther are not drawn, by default."""

MIN_DEPTH = 1e-4
"""A face with a corner nearer to the camera than this (metres) is left out: its projection means nothing."""

MIN_AREA = 1e-9
"""A face of a smaller area (twice the triangle's, square pixels) is left out: it covers nothing."""

SPAN_MARGIN = 1e-3
"""Pixels by which a row's span is widened, against rounding of where it crosses the edges."""

BACKGROUND = -1
"""The face index of a pixel that shows no face."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pixel_range(low: float, high: float, first: int, stop: int) -> tuple[int, int]:
    """Return the range of pixels in [first, stop) whose centres lie in [low, high], all in pixels.

    Clips before it converts to integers, so that no coordinate is too large for one.
    """
    start = math.ceil(min(max(low - 0.5, first), stop))
    end = math.floor(min(max(high - 0.5, first - 1.0), stop - 1.0)) + 1
    return int(start), int(end)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _widen(  # type: ignore[no-untyped-def]
    span, v, ua, va, vb, slope
):
    """Widen a span of u to where the row at height v crosses the edge from (ua, va) down or up to vb.

    slope: of the edge, du/dv.
    """
    if va != vb and min(va, vb) <= v <= max(va, vb):
        u = ua + (v - va) * slope
        return min(span[0], u), max(span[1], u)
    return span


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw_face(  # type: ignore[no-untyped-def]
    face, corners, turn, row_start, row_stop, near, far, face_index, barycentrics, depth
):
    """Draw one triangle into the rows [row_start, row_stop) of one image.

    corners: u, v (pixels), z (metres) of the first, the second and the third corner, nine numbers.
    turn: the sign of the triangle's area; it makes the edge functions positive inside.
    """
    ua, va, za, ub, vb, zb, uc, vc, zc = corners
    slope_a, slope_b, slope_c = (uc - ub) / (vc - vb), (ua - uc) / (va - vc), (ub - ua) / (vb - va)
    wa, wb, wc = 1.0 / za, 1.0 / zb, 1.0 / zc
    low, high = _pixel_range(min(va, vb, vc), max(va, vb, vc), row_start, row_stop)
    for row in range(low, high):
        v = row + 0.5
        ya, yb, yc = turn * (va - v), turn * (vb - v), turn * (vc - v)
        span = _widen((math.inf, -math.inf), v, ub, vb, vc, slope_a)
        span = _widen(_widen(span, v, uc, vc, va, slope_b), v, ua, va, vb, slope_c)
        # The span only saves work: it is a little too wide, the edge functions decide.
        left, right = _pixel_range(span[0] - SPAN_MARGIN, span[1] + SPAN_MARGIN, 0, face_index.shape[1])
        for col in range(left, right):
            u = col + 0.5
            xa, xb, xc = ua - u, ub - u, uc - u
            edge_a, edge_b, edge_c = xb * yc - xc * yb, xc * ya - xa * yc, xa * yb - xb * ya
            if min(edge_a, edge_b, edge_c) < 0.0:
                continue
            scale = 1.0 / (edge_a + edge_b + edge_c)
            z = np.float32(1.0 / (scale * (edge_a * wa + edge_b * wb + edge_c * wc)))
            if near < z < far and (face_index[row, col] == BACKGROUND or z < depth[row, col]):
                face_index[row, col] = face
                depth[row, col] = z
                barycentrics[row, col, 0] = edge_a * scale
                barycentrics[row, col, 1] = edge_b * scale
                barycentrics[row, col, 2] = edge_c * scale


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw(  # type: ignore[no-untyped-def]
    vertices, faces, row_start, row_stop, cull, near, far, face_index, barycentrics, depth
):
    """Draw one mesh (vertices [V, 3] float64, faces [F, 3] int32) into the rows [row_start, row_stop)."""
    face_index[row_start:row_stop] = BACKGROUND
    barycentrics[row_start:row_stop] = 0.0
    depth[row_start:row_stop] = 0.0
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ua, va, za = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ub, vb, zb = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        uc, vc, zc = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
        # Each comparison is written so that it fails for NaN: a corner that is not a number drops the face.
        if not MIN_AREA < abs(area) < math.inf or (cull and area > 0.0):
            continue
        if not (MIN_DEPTH < za < math.inf and MIN_DEPTH < zb < math.inf and MIN_DEPTH < zc < math.inf):
            continue
        corners = (ua, va, za, ub, vb, zb, uc, vc, zc)
        turn = math.copysign(1.0, area)
        _draw_face(face, corners, turn, row_start, row_stop, near, far, face_index, barycentrics, depth)


def _checked(vertices_px: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the faces as the kernel wants them; raise ValueError if an index would leave the vertices."""
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces: expected [F, 3], found {list(faces.shape)}")
    if vertices_px.shape[-1:] != (3,):
        raise ValueError(f"vertices_px: expected u, v, z in the last dimension, found {list(vertices_px.shape)}")
    count = vertices_px.shape[-2]
    if faces.size and not (int(faces.min()) >= 0 and int(faces.max()) < count):
        raise ValueError(
            f"faces: expected indices from 0 to {count - 1}, found {faces.min()} to {faces.max()}; "
            "check that the faces belong to this mesh"
        )
    return np.ascontiguousarray(faces, dtype=np.int32)


def rasterize_numpy(
    vertices_px: NDArray[np.floating],
    faces: NDArray[np.integer],
    height: int,
    width: int,
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Draw one mesh in the calling thread.

    vertices_px: [V, 3] u, v (continuous pixels), z (metres). faces: [F, 3]. height, width: of the image.
    cull: leave out faces that turn their back. near, far: the range of depth that is drawn, metres.

    Returns the face index [H, W] int32 (-1 where there is none), and float32, 0 where there is no face: the
    barycentric coordinates [H, W, 3] of the pixel's centre on the screen and the depth [H, W] in metres.
    Raises ValueError if a shape is wrong or a face names a vertex that does not exist.
    """
    if vertices_px.ndim != 2:
        raise ValueError(f"vertices_px: expected [V, 3], found {list(vertices_px.shape)}")
    outputs = rasterize_batch(vertices_px[None], faces, height, width, cull, near, far, threads=1)
    return outputs[0][0], outputs[1][0], outputs[2][0]


def rasterize_batch(
    vertices_px: NDArray[np.floating],
    faces: NDArray[np.integer],
    height: int,
    width: int,
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
    threads: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Draw B meshes of the same faces on `threads` threads (default: one per CPU of this process).

    vertices_px: [B, V, 3]. Returns face index [B, H, W], barycentric coordinates [B, H, W, 3] and depth
    [B, H, W] as `rasterize_numpy` does, and raises as it does.
    """
    if vertices_px.ndim != 3:
        raise ValueError(f"vertices_px: expected [B, V, 3], found {list(vertices_px.shape)}")
    faces = _checked(vertices_px, faces)
    vertices = np.ascontiguousarray(vertices_px, dtype=np.float64)
    batch = len(vertices)
    face_index = np.empty((batch, height, width), np.int32)
    barycentrics = np.empty((batch, height, width, 3), np.float32)
    depth = np.empty((batch, height, width), np.float32)

    def draw(item: int, row_start: int, row_stop: int) -> None:
        images = (face_index[item], barycentrics[item], depth[item])
        _draw(vertices[item], faces, row_start, row_stop, cull, near, far, *images)

    run_in_bands(draw, batch, height, threads)
    return face_index, barycentrics, depth


def run_in_bands(work: Callable[[int, int, int], None], batch: int, height: int, threads: int | None = None) -> None:
    """Call work(item, row_start, row_stop) so that every row of every item is done once, on some threads.

    Images are cut into bands of rows only when there are fewer of them than threads. The threads end before
    the call does: a process forked later finds none to wait for.
    """
    threads = threads or core_count()
    bands = max(1, min(height, math.ceil(threads / max(batch, 1))))
    edges = [height * band // bands for band in range(bands + 1)]
    tasks = [(item, low, high) for item in range(batch) for low, high in itertools.pairwise(edges)]
    run_tasks(lambda number: work(*tasks[number]), len(tasks), threads)


def run_tasks(work: Callable[[int], None], count: int, threads: int | None) -> None:
    """Call work(0) to work(count - 1) on some threads, which end before the call does."""
    threads = min(threads or core_count(), count)
    if threads < 2:
        for number in range(count):
            work(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))
