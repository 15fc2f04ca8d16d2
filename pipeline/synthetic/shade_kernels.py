"""The shading of samples, compiled: the hand's skin maps, bent normals, wrapped light, highlights, shadows.

Written for speed: scalars in float32, unsigned indices (no test for counting from the end), everything inlined into one
loop. `shade.py` prepares the arguments. Values of other modules come as arguments: numba's cache would keep old ones.
"""

import numba
import numpy as np


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def part_slopes(vertices, faces):  # type: ignore[no-untyped-def]
    """Gradients [F, 2, 3], per metre, of the second and third barycentric coordinate of a hand's whole face.

    vertices [V, 3], faces [F, 3] of a refined hand: face f is part f & 3 of a whole face (`tessellate`).
    """
    slopes = np.empty((faces.shape[0], 2, 3), np.float32)
    for f in range(faces.shape[0]):
        o, p, q = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        ux, uy, uz = p[0] - o[0], p[1] - o[1], p[2] - o[2]
        vx, vy, vz = q[0] - o[0], q[1] - o[1], q[2] - o[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        half = np.float32(0.5) / max(nx * nx + ny * ny + nz * nz, np.float32(1e-16))
        bx, by, bz = half * (vy * nz - vz * ny), half * (vz * nx - vx * nz), half * (vx * ny - vy * nx)
        cx, cy, cz = half * (ny * uz - nz * uy), half * (nz * ux - nx * uz), half * (nx * uy - ny * ux)
        if f & 3 == 3:
            slopes[f, 0, 0], slopes[f, 0, 1], slopes[f, 0, 2] = -cx, -cy, -cz
            slopes[f, 1, 0], slopes[f, 1, 1], slopes[f, 1, 2] = bx + cx, by + cy, bz + cz
        else:
            slopes[f, 0, 0], slopes[f, 0, 1], slopes[f, 0, 2] = bx, by, bz
            slopes[f, 1, 0], slopes[f, 1, 1], slopes[f, 1, 2] = cx, cy, cz
    return slopes


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def shade_kernel(  # type: ignore[no-untyped-def]
    face, weights, depth, openness, faces, corners, piece, first_face, is_hand, looks, textures, linear, grid, samples,
    slopes, towards, colours, ambient, shadows, to_light, K, out, cover, seen,
):  # fmt: skip
    """Fill out [S, S, 3], cover [S, S] and seen [S, S] from a drawing of [2 S, 2 S].

    Where the four samples of a pixel show one smooth piece, the first is shaded for all: most pixels cost one, edges
    cost four and come out smooth.
    """
    for row in range(np.uint32(out.shape[0])):
        for col in range(np.uint32(out.shape[1])):
            covered, skin, smooth = _survey(face, depth, piece, is_hand, row, col)
            cover[row, col], seen[row, col] = covered, skin
            if covered == np.float32(0):
                continue
            share = np.float32(1) if smooth else np.float32(0.25)
            for n in range(np.uint32(1 if smooth else 4)):
                r, c = 2 * row + (n >> 1), 2 * col + (n & 1)
                if face[r, c] < 0:
                    continue
                red, green, blue = _shade_sample(
                    np.uint32(face[r, c]), weights[r, c, 0], weights[r, c, 1], weights[r, c, 2], depth[r, c], r, c,
                    openness[r >> 2, c >> 2], faces, corners, piece, first_face, is_hand, looks, textures, linear, grid,
                    samples, slopes, towards, colours, ambient, shadows, to_light, K,
                )  # fmt: skip
                out[row, col, 0] += share * red
                out[row, col, 1] += share * green
                out[row, col, 2] += share * blue


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _survey(face, depth, piece, is_hand, row, col):  # type: ignore[no-untyped-def]
    """Of a pixel's four samples: the share that is filled, the share of skin, and whether all show one smooth piece."""
    quarter, nobody = np.float32(0.25), np.uint32(0xFFFFFFFF)
    covered, skin, first, same = np.float32(0), np.float32(0), nobody, True
    near, far = np.float32(1e9), np.float32(0)
    for n in range(np.uint32(4)):
        r, c = 2 * row + (n >> 1), 2 * col + (n & 1)
        if face[r, c] < 0:
            same = False
            continue
        p = piece[np.uint32(face[r, c])]
        covered += quarter
        if is_hand[p]:
            skin += quarter
        near, far = min(near, depth[r, c]), max(far, depth[r, c])
        if first != nobody and p != first:
            same = False
        first = p
    return covered, skin, same and far - near < np.float32(0.01) * far


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _shade_sample(  # type: ignore[no-untyped-def]
    f, wa, wb, wc, z, row, col, open_, faces, corners, piece, first_face, is_hand, looks, textures, linear, grid,
    samples, slopes, towards, colours, ambient, shadows, to_light, K,
):  # fmt: skip
    """Linear RGB of one sample of the drawing: face f, its weights, its depth, how open it is to ambient light."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    p = piece[f]
    nx = wa * corners[a, 0] + wb * corners[b, 0] + wc * corners[c, 0]
    ny = wa * corners[a, 1] + wb * corners[b, 1] + wc * corners[c, 1]
    nz = wa * corners[a, 2] + wb * corners[b, 2] + wc * corners[c, 2]
    if is_hand[p]:
        base_r, base_g, base_b, nx, ny, nz = _hand_sample(
            f, f - first_face[p], wa, wb, wc, nx, ny, nz, grid, samples, slopes
        )
    else:
        side = np.float32(textures.shape[1])
        u = wa * corners[a, 3] + wb * corners[b, 3] + wc * corners[c, 3]
        v = wa * corners[a, 4] + wb * corners[b, 4] + wc * corners[c, 4]
        tx, ty = np.uint32((u - np.floor(u)) * side), np.uint32((v - np.floor(v)) * side)
        tx, ty = min(tx, np.uint32(textures.shape[1] - 1)), min(ty, np.uint32(textures.shape[1] - 1))
        base_r, base_g = linear[textures[p, ty, tx, 0]], linear[textures[p, ty, tx, 1]]
        base_b = linear[textures[p, ty, tx, 2]]
    return _lit(
        base_r,
        base_g,
        base_b,
        nx,
        ny,
        nz,
        z,
        row,
        col,
        open_,
        looks[p],
        towards,
        colours,
        ambient,
        shadows,
        to_light,
        K,
    )


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _lit(  # type: ignore[no-untyped-def]
    base_r, base_g, base_b, nx, ny, nz, z, row, col, open_, look, towards, colours, ambient, shadows, to_light, K
):
    """Light from a point of a given albedo, normal and depth to the camera, linear RGB."""
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    scale = one / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-12))
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    px, py = (np.float32(col) + half - K[1]) * K[3] * z, (np.float32(row) + half - K[2]) * K[3] * z
    lit = _shadow(px, py, z, nx, ny, nz, shadows, to_light)
    scale = -one / np.sqrt(px * px + py * py + z * z)
    vx, vy, vz = px * scale, py * scale, z * scale
    hemi = half + half * (nx * ambient[2, 0] + ny * ambient[2, 1] + nz * ambient[2, 2])
    red = (ambient[1, 0] + (ambient[0, 0] - ambient[1, 0]) * hemi) * open_
    green = (ambient[1, 1] + (ambient[0, 1] - ambient[1, 1]) * hemi) * open_
    blue = (ambient[1, 2] + (ambient[0, 2] - ambient[1, 2]) * hemi) * open_
    shine_r, shine_g, shine_b = zero, zero, zero
    wrap_r, wrap_g, wrap_b = look[2], look[3], look[4]
    for n in range(np.uint32(towards.shape[0])):
        lx, ly, lz = towards[n, 0], towards[n, 1], towards[n, 2]
        cosine = nx * lx + ny * ly + nz * lz
        visible = lit if n == 0 else np.float32(0.35) + np.float32(0.65) * open_
        dark = (one - visible) * half
        red += colours[n, 0] * max((cosine + wrap_r) * look[5], zero) * (visible + dark * wrap_r)
        green += colours[n, 1] * max((cosine + wrap_g) * look[6], zero) * (visible + dark * wrap_g)
        blue += colours[n, 2] * max((cosine + wrap_b) * look[7], zero) * (visible + dark * wrap_b)
        if cosine > zero:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            shine = max((nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-9)), zero)
            for _ in range(np.uint32(look[1])):
                shine = shine * shine
            shine *= visible * look[0] * np.float32(2)
            shine_r, shine_g = shine_r + colours[n, 0] * shine, shine_g + colours[n, 1] * shine
            shine_b += colours[n, 2] * shine
    return base_r * red + shine_r, base_g * green + shine_g, base_b * blue + shine_b


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _hand_sample(f, local, wa, wb, wc, nx, ny, nz, grid, samples, slopes):  # type: ignore[no-untyped-def]
    """Albedo (r, g, b) and normal (x, y, z), bent by the relief, at weights on part `local & 3` of a hand's face."""
    one, half = np.float32(1), np.float32(0.5)
    side, last = np.float32(grid[0]), grid[0] - np.uint32(1)
    part = local & np.uint32(3)
    second, third = half * wb, half * wc  # of the whole face's weights
    if part == 1:
        second += half
    elif part == 2:
        third += half
    elif part == 3:
        second, third = half * (wa + wb), half * (wb + wc)
    x, y = second * side, third * side
    i, j = min(np.uint32(x), last), min(np.uint32(y), last)
    if i + j > last:
        i = last - j
    x, y = x - np.float32(i), y - np.float32(j)
    # Row j starts after the j longer rows before it; j * (j - 1) / 2 as (j * j - j) / 2 stays in unsigned numbers.
    corner = (local >> np.uint32(2)) * grid[1] + j * (grid[0] + np.uint32(1)) - ((j * j - j) >> np.uint32(1)) + i
    above = corner + (grid[0] + np.uint32(1)) - j
    ahead, turn = corner + np.uint32(1), side
    if x + y > one and i + j < last:  # the upper half of the cell: count from the far corner
        corner, ahead, above, turn = above + np.uint32(1), above, ahead, -side
        x, y = one - x, one - y
    rest = one - x - y
    along, across = (
        turn * (samples[ahead, 3] - samples[corner, 3]),
        turn * (samples[above, 3] - samples[corner, 3]),
    )
    return (
        rest * samples[corner, 0] + x * samples[ahead, 0] + y * samples[above, 0],
        rest * samples[corner, 1] + x * samples[ahead, 1] + y * samples[above, 1],
        rest * samples[corner, 2] + x * samples[ahead, 2] + y * samples[above, 2],
        nx - along * slopes[f, 0, 0] - across * slopes[f, 1, 0],
        ny - along * slopes[f, 0, 1] - across * slopes[f, 1, 1],
        nz - along * slopes[f, 0, 2] - across * slopes[f, 1, 2],
    )


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _shadow(x, y, z, nx, ny, nz, shadows, to_light):  # type: ignore[no-untyped-def]
    """How much of the first light reaches a point, 0 to 1: the mean of four soft comparisons with the shadow map."""
    one, zero, lift = np.float32(1), np.float32(0), np.float32(0.0015)
    x, y, z = x + lift * nx, y + lift * ny, z + lift * nz
    edge = np.float32(shadows.shape[0] - 1)
    u = to_light[0, 0] * x + to_light[0, 1] * y + to_light[0, 2] * z + to_light[0, 3] - np.float32(0.5)
    v = to_light[1, 0] * x + to_light[1, 1] * y + to_light[1, 2] * z + to_light[1, 3] - np.float32(0.5)
    d = to_light[2, 0] * x + to_light[2, 1] * y + to_light[2, 2] * z + to_light[2, 3] - np.float32(0.002)
    if u < zero or v < zero or u >= edge or v >= edge:
        return one
    i, j = np.uint32(u), np.uint32(v)
    u, v = u - np.float32(i), v - np.float32(j)
    total, hard = zero, np.float32(330)  # per metre: 3 mm of depth from full light to full shadow
    for n in range(np.uint32(4)):
        di, dj = n & np.uint32(1), n >> np.uint32(1)
        share = (u if di else one - u) * (v if dj else one - v)
        total += share * min(max(one - (d - shadows[j + dj, i + di]) * hard, zero), one)
    return total
