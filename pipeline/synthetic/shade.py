"""From a scene to light: drawing it, shadows, and the colour of every pixel that shows it.

The kernel looks up the hand's sample maps, bends normals by the relief of the skin, and adds wrapped diffuse light, a
highlight and ambient light; all in linear RGB.
"""

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from s2hand.pipeline.synthetic.hand_surface import SAMPLES, SIDE
from s2hand.pipeline.synthetic.lights import Lights
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE, Ints, Mesh, Scene
from s2hand.pipeline.synthetic.noise import Bytes, Floats
from s2hand.pipeline.synthetic.posing import cross
from s2hand.pipeline.synthetic.skin import Skin
from s2hand.train.render.kernels import rasterize_numpy

_NEAR_M = 0.04
_SHADOW_SIDE = 144
_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


@dataclass(frozen=True)
class Drawn:
    """A scene on the image plane: face [H, W] (-1 for none), weights [H, W, 3], depth [H, W] metres."""

    face: Ints
    weights: Floats
    depth: Floats


@dataclass(frozen=True)
class Shaded:
    """light [S, S, 3] linear RGB, premultiplied by cover [S, S], the share of a pixel that is filled; hand [S, S]: with skin
    of the hand."""

    light: Floats
    cover: Floats
    hand: Floats


def draw(scene: Scene, focal: float, centre: Floats, size: int) -> Drawn:
    """Rasterize a scene: focal length, principal point and size in pixels."""
    z = scene.vertices[:, 2]
    safe = np.where(z > _NEAR_M, z, 1.0)
    flat = scene.vertices[:, :2] / safe[:, None] * focal + centre
    points = np.concatenate([flat, np.where(z > _NEAR_M, z, 0.0)[:, None]], 1)  # depth 0: the face is left out
    return Drawn(*rasterize_numpy(points, scene.faces, size, size, cull=True, near=_NEAR_M))


def shadow_map(scene: Scene, towards: Floats) -> tuple[Floats, Floats]:
    """Distance of what the first light meets: map [S, S] and the matrix [3, 4] from camera points to (column, row, z).

    The light is parallel; the map covers the scene's hand and what is within 10 cm of it.
    """
    side = cross(towards, np.array([0.31, 0.9, 0.3]))
    side /= np.linalg.norm(side)
    frame = np.stack([side, cross(towards, side), -towards]).astype(np.float32)
    local = scene.vertices @ frame.T
    hand = local[: len(scene.pieces[0].vertices)]
    low, high = hand.min(0) - 0.03, hand.max(0) + 0.03
    scale = np.float32(_SHADOW_SIDE / max(float((high - low)[:2].max()), 1e-3))
    far = np.float32(50.0)  # a parallel projection: depths so large that perspective vanishes
    matrix = np.concatenate([frame, -low[:, None]], 1) * np.array([[scale], [scale], [1]], np.float32)
    points = scene.vertices @ matrix[:, :3].T + matrix[:, 3]
    points[:, 2] += far
    faces = np.concatenate([scene.coarse, scene.faces[len(scene.pieces[0].faces) :]])
    _, _, depth = rasterize_numpy(points, faces, _SHADOW_SIDE, _SHADOW_SIDE)
    return np.where(depth > 0, depth - far, np.float32(1e3)), matrix.astype(np.float32)


def occlusion(drawn: Drawn) -> Floats:
    """How open each pixel is to the light around it, [H / 4, W / 4] in [.35, 1], from the depth alone.

    A point that lies deeper than its neighbourhood's mean is in a hollow; two sizes of neighbourhood.
    """
    small = np.ascontiguousarray(drawn.depth[::4, ::4])
    there = (small > 0).astype(np.float32)
    openness = np.ones_like(small)
    for sigma, weight in ((1.2, 0.5), (4.0, 0.6)):
        blurred = cv2.GaussianBlur(small, (0, 0), sigma * len(small) / 56)
        share = cv2.GaussianBlur(there, (0, 0), sigma * len(small) / 56)
        hollow = np.clip((small - blurred / np.maximum(share, 1e-3)) / 0.018, 0, 1)
        openness -= np.float32(weight) * hollow * there
    return np.maximum(openness, np.float32(0.35))


def shade(scene: Scene, drawn: Drawn, skin: Skin, lights: Lights, K: tuple[float, float, float]) -> Shaded:
    """Light of a scene drawn at twice the photograph's size. K: focal length and principal point of the drawing."""
    shadows, to_light = shadow_map(scene, lights.towards[0])
    size = drawn.face.shape[0] // 2
    shaded = Shaded(*(np.zeros(shape, np.float32) for shape in ((size, size, 3), (size, size), (size, size))))
    looks = np.array([_look(piece) for piece in scene.pieces], np.float32)
    _shade_kernel(
        drawn.face,
        drawn.weights,
        drawn.depth,
        occlusion(drawn),
        scene.faces.view(np.uint32),  # unsigned: the kernel need not ask whether an index counts from the end
        np.concatenate([scene.normals, scene.uv], axis=1),
        scene.piece.view(np.uint32),
        scene.first_face.view(np.uint32),
        np.array([p.is_hand for p in scene.pieces]),
        looks,
        _texture_stack(scene),
        _LINEAR,
        skin.samples,
        _relief_slopes(scene),
        lights.towards,
        lights.colours,
        np.stack([lights.sky, lights.ground, lights.up]),
        shadows,
        to_light,
        np.array([*K, 1 / K[0]], np.float32),
        shaded.light,
        shaded.cover,
        shaded.hand,
    )
    return shaded


def _look(piece: Mesh) -> tuple[float, ...]:
    """A piece's row for the kernel: specular, gloss, wrap of r, g, b, 1 / (1 + wrap) of r, g, b."""
    surface = piece.surface
    # Light wraps around the terminator and bleeds into shadows: red travels farthest under the skin.
    wrap = [surface.scatter * reach for reach in (0.30, 0.12, 0.06)]
    return (surface.specular, surface.gloss, *wrap, *(1 / (1 + w) for w in wrap))


def _texture_stack(scene: Scene) -> Bytes:
    """The pieces' textures at one size, [P, T, T, 3]; blank for hands."""
    stack = np.zeros((len(scene.pieces), TEXTURE_SIDE, TEXTURE_SIDE, 3), np.uint8)
    for slot, piece in zip(stack, scene.pieces, strict=True):
        if piece.surface.texture is not None:
            slot[:] = piece.surface.texture
    return stack


def _relief_slopes(scene: Scene) -> Floats:
    """Gradients [F, 2, 3], per metre, of the second and third barycentric coordinate of a hand's whole face.

    F are the faces of the pieces that are hands; each is one of four parts of a whole face (`tessellate`).
    """
    count = sum(len(p.faces) for p in scene.pieces if p.is_hand)
    return np.asarray(_part_slopes(scene.vertices, scene.faces[:count]))


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _part_slopes(vertices, faces):  # type: ignore[no-untyped-def]
    """See `_relief_slopes`; vertices [V, 3], faces [F, 3], part = face & 3."""
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
def _shade_kernel(  # type: ignore[no-untyped-def]
    face, weights, depth, openness, faces, corners, piece, first_face, is_hand, looks, textures, linear, samples, slopes,
    towards, colours, ambient, shadows, to_light, K, out, cover, seen,
):  # fmt: skip
    """Fill out [S, S, 3], cover [S, S] and seen [S, S] from a drawing of [2 S, 2 S].

    Where the four samples of a pixel show one smooth piece, the first is shaded for all: most pixels cost one, edges
    cost four and come out smooth.
    """
    quarter, nobody = np.float32(0.25), np.uint32(0xFFFFFFFF)
    for row in range(np.uint32(out.shape[0])):
        for col in range(np.uint32(out.shape[1])):
            count, hands, first, same = 0, 0, nobody, True
            near, far = np.float32(1e9), np.float32(0)
            for n in range(np.uint32(4)):
                r, c = 2 * row + (n >> 1), 2 * col + (n & 1)
                if face[r, c] < 0:
                    same = False
                    continue
                count += 1
                p = piece[np.uint32(face[r, c])]
                hands += is_hand[p]
                near, far = min(near, depth[r, c]), max(far, depth[r, c])
                if first != nobody and p != first:
                    same = False
                first = p
            cover[row, col], seen[row, col] = count * quarter, hands * quarter
            if count == 0:
                continue
            one = same and far - near < np.float32(0.01) * far
            share = np.float32(1) if one else quarter
            for n in range(np.uint32(1 if one else 4)):
                r, c = 2 * row + (n >> 1), 2 * col + (n & 1)
                if face[r, c] < 0:
                    continue
                red, green, blue = _shade_sample(
                    np.uint32(face[r, c]), weights[r, c, 0], weights[r, c, 1], weights[r, c, 2], depth[r, c], r, c,
                    openness[r >> 2, c >> 2], faces, corners, piece, first_face, is_hand, looks, textures, linear, samples,
                    slopes, towards, colours, ambient, shadows, to_light, K,
                )  # fmt: skip
                out[row, col, 0] += share * red
                out[row, col, 1] += share * green
                out[row, col, 2] += share * blue


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _shade_sample(  # type: ignore[no-untyped-def]
    f, wa, wb, wc, z, row, col, open_, faces, corners, piece, first_face, is_hand, looks, textures, linear, samples,
    slopes, towards, colours, ambient, shadows, to_light, K,
):  # fmt: skip
    """Linear RGB of one sample of the drawing: face f, its weights, its depth, how open it is to ambient light."""
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    p = piece[f]
    nx = wa * corners[a, 0] + wb * corners[b, 0] + wc * corners[c, 0]
    ny = wa * corners[a, 1] + wb * corners[b, 1] + wc * corners[c, 1]
    nz = wa * corners[a, 2] + wb * corners[b, 2] + wc * corners[c, 2]
    if is_hand[p]:
        base_r, base_g, base_b, nx, ny, nz = _hand_sample(f, f - first_face[p], wa, wb, wc, nx, ny, nz, samples, slopes)
    else:
        side = np.float32(textures.shape[1])
        u = wa * corners[a, 3] + wb * corners[b, 3] + wc * corners[c, 3]
        v = wa * corners[a, 4] + wb * corners[b, 4] + wc * corners[c, 4]
        tx, ty = np.uint32((u - np.floor(u)) * side), np.uint32((v - np.floor(v)) * side)
        tx, ty = min(tx, np.uint32(textures.shape[1] - 1)), min(ty, np.uint32(textures.shape[1] - 1))
        base_r, base_g = linear[textures[p, ty, tx, 0]], linear[textures[p, ty, tx, 1]]
        base_b = linear[textures[p, ty, tx, 2]]
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
    wrap_r, wrap_g, wrap_b = looks[p, 2], looks[p, 3], looks[p, 4]
    for n in range(np.uint32(towards.shape[0])):
        lx, ly, lz = towards[n, 0], towards[n, 1], towards[n, 2]
        cosine = nx * lx + ny * ly + nz * lz
        visible = lit if n == 0 else np.float32(0.35) + np.float32(0.65) * open_
        dark = (one - visible) * half
        red += colours[n, 0] * max((cosine + wrap_r) * looks[p, 5], zero) * (visible + dark * wrap_r)
        green += colours[n, 1] * max((cosine + wrap_g) * looks[p, 6], zero) * (visible + dark * wrap_g)
        blue += colours[n, 2] * max((cosine + wrap_b) * looks[p, 7], zero) * (visible + dark * wrap_b)
        if cosine > zero:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            shine = max((nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-9)), zero)
            for _ in range(np.uint32(looks[p, 1])):
                shine = shine * shine
            shine *= visible * looks[p, 0] * np.float32(2)
            shine_r, shine_g = shine_r + colours[n, 0] * shine, shine_g + colours[n, 1] * shine
            shine_b += colours[n, 2] * shine
    return base_r * red + shine_r, base_g * green + shine_g, base_b * blue + shine_b


@numba.njit(cache=True, fastmath=True, error_model="numpy", inline="always")
def _hand_sample(f, local, wa, wb, wc, nx, ny, nz, samples, slopes):  # type: ignore[no-untyped-def]
    """Albedo (r, g, b) and normal (x, y, z), bent by the relief, at weights on part `local & 3` of a hand's face."""
    one, half = np.float32(1), np.float32(0.5)
    side, last = np.float32(SIDE), np.uint32(SIDE - 1)
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
    corner = (local >> np.uint32(2)) * np.uint32(SAMPLES) + j * np.uint32(SIDE + 1) - ((j * j - j) >> np.uint32(1)) + i
    above = corner + np.uint32(SIDE + 1) - j
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
