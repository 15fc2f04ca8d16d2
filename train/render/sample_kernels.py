"""What the samples of a pixel show, summed up, and the gradient of the sum: the numba kernels for the CPU.

`surface.py` says the same in plain autograd, which takes an array of all samples for every step of the way. Here each
sample is worked out, in float64, and forgotten. One thread works on an image, in a fixed order: results repeat bit by
bit.

With the weights w of the corners on the screen and their depths z, q = w / z, the depth is 1 / sum(q), and a colour is
the corners' mean with weights p = q / sum(q).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from s2hand.train.render.kernels import run_tasks


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(a, b, c, row, col):  # type: ignore[no-untyped-def]
    """Return the corners of a face as seen from a sample, and the edge functions there: x, y, e of each."""
    u, v = col + 0.5, row + 0.5
    xa, ya, xb, yb, xc, yc = a[0] - u, a[1] - v, b[0] - u, b[1] - v, c[0] - u, c[1] - v
    return xa, ya, xb * yc - xc * yb, xb, yb, xc * ya - xa * yc, xc, yc, xa * yb - xb * ya


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sum(vertices, faces, face_index, sides, factor, out):  # type: ignore[no-untyped-def]
    """Add one image's colours, depths and number of samples to `out` [C + 2, h, w]; sides: front, back [2, V, C]."""
    colors = sides.shape[2]
    for row in range(face_index.shape[0]):
        for col in range(face_index.shape[1]):
            face = face_index[row, col]
            if face < 0:
                continue
            i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
            a, b, c = vertices[i], vertices[j], vertices[k]
            _, _, ea, _, _, eb, _, _, ec = _place(a, b, c, row, col)
            area = ea + eb + ec
            qa, qb, qc = ea / area / a[2], eb / area / b[2], ec / area / c[2]
            depth = 1.0 / (qa + qb + qc)
            side = 1 if area > 0.0 else 0
            y, x = row // factor, col // factor
            for color in range(colors):
                mix = qa * sides[side, i, color] + qb * sides[side, j, color] + qc * sides[side, k, color]
                out[color, y, x] += mix * depth
            out[colors, y, x] += depth
            out[colors + 1, y, x] += 1.0


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pull(  # type: ignore[no-untyped-def]
    vertices, faces, face_index, sides, factor, slopes, vertex_slopes, side_slopes
):
    """Add one image's gradient to those of its vertices [V, 3] and colours [2, V, C]; slopes [C + 2, h, w]."""
    colors = sides.shape[2]
    for row in range(face_index.shape[0]):
        for col in range(face_index.shape[1]):
            face = face_index[row, col]
            if face < 0:
                continue
            i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
            a, b, c = vertices[i], vertices[j], vertices[k]
            xa, ya, ea, xb, yb, eb, xc, yc, ec = _place(a, b, c, row, col)
            area = ea + eb + ec
            wa, wb, wc = ea / area, eb / area, ec / area
            za, zb, zc = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
            depth = 1.0 / (wa * za + wb * zb + wc * zc)
            pa, pb, pc = wa * za * depth, wb * zb * depth, wc * zc * depth
            side = 1 if area > 0.0 else 0
            y, x = row // factor, col // factor
            # By each corner's colour, then by its q, its depth, its weight and its edge function.
            ga, gb, gc = 0.0, 0.0, 0.0
            for color in range(colors):
                slope = slopes[color, y, x]
                ga += slope * sides[side, i, color]
                gb += slope * sides[side, j, color]
                gc += slope * sides[side, k, color]
                side_slopes[side, i, color] += slope * pa
                side_slopes[side, j, color] += slope * pb
                side_slopes[side, k, color] += slope * pc
            mean = pa * ga + pb * gb + pc * gc + slopes[colors, y, x] * depth
            ga, gb, gc = (ga - mean) * depth * za, (gb - mean) * depth * zb, (gc - mean) * depth * zc
            vertex_slopes[i, 2] -= ga * wa * za
            vertex_slopes[j, 2] -= gb * wb * zb
            vertex_slopes[k, 2] -= gc * wc * zc
            mean = ga * wa + gb * wb + gc * wc
            ga, gb, gc = (ga - mean) / area, (gb - mean) / area, (gc - mean) / area
            vertex_slopes[i, 0] += gc * yb - gb * yc
            vertex_slopes[i, 1] += gb * xc - gc * xb
            vertex_slopes[j, 0] += ga * yc - gc * ya
            vertex_slopes[j, 1] += gc * xa - ga * xc
            vertex_slopes[k, 0] += gb * ya - ga * yb
            vertex_slopes[k, 1] += ga * xb - gb * xa


def sum_samples(
    vertices_px: NDArray[np.floating],  # [B, V, 3] u, v pixels of the samples, z metres
    faces: NDArray[np.integer],  # [F, 3]
    face_index: NDArray[np.int32],  # [B, H, W] -1: background
    sides: NDArray[np.floating],  # [B, 2, V, C] colours of the vertices, seen from the front and from behind
    factor: int,  # samples of a side of a pixel
    threads: int | None = None,
) -> NDArray[np.floating]:  # [B, C + 2, H / factor, W / factor], type of the colours
    """Sum up, over the covered samples of each pixel, colours, depths and ones."""
    mesh, faces, sides = _arrays(vertices_px, faces, sides)
    batch, height, width = face_index.shape
    out = np.zeros((batch, sides.shape[3] + 2, height // factor, width // factor), sides.dtype)

    def work(item: int) -> None:
        _sum(mesh[item], faces, face_index[item], sides[item], factor, out[item])

    run_tasks(work, batch, threads)
    return out


def sample_gradients(
    vertices_px: NDArray[np.floating],
    faces: NDArray[np.integer],
    face_index: NDArray[np.int32],
    sides: NDArray[np.floating],
    factor: int,
    slopes: NDArray[np.floating],  # [B, C + 2, H / factor, W / factor] gradient at what `sum_samples` returns
    threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [B, V, 3], [B, 2, V, C]
    """Return the gradient at the vertices and at the colours."""
    mesh, faces, sides = _arrays(vertices_px, faces, sides)
    slopes = np.ascontiguousarray(slopes)
    vertex_slopes, side_slopes = np.zeros(mesh.shape), np.zeros(sides.shape)

    def work(item: int) -> None:
        scene = (mesh[item], faces, face_index[item], sides[item], factor, slopes[item])
        _pull(*scene, vertex_slopes[item], side_slopes[item])

    run_tasks(work, len(mesh), threads)
    return vertex_slopes, side_slopes


def _arrays(
    vertices_px: NDArray[np.floating], faces: NDArray[np.integer], sides: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.floating]]:
    """Return them as the kernels want them."""
    return (
        np.ascontiguousarray(vertices_px, np.float64),
        np.ascontiguousarray(faces, np.int32),
        np.ascontiguousarray(sides),
    )
