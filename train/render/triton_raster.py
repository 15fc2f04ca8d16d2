"""The z-buffer on the GPU: the same faces, by the same rules and the same arithmetic, as `kernels` on the CPU."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2hand.train.render.kernels import FAR, NEAR
from s2hand.train.render.triton_tiles import TILE, sort_into_tiles


@triton.jit  # type: ignore[untyped-decorator]
def _draw_tile(  # type: ignore[no-untyped-def]
    corners,
    ends,
    members,
    face_index,
    barycentrics,
    depth,
    faces,
    rows,
    columns,
    height,
    width,
    NEAR: tl.constexpr,
    FAR: tl.constexpr,
    SIDE: tl.constexpr,
):
    """Draw the faces of one tile one after the other, keeping the nearest so far of each of its pixels."""
    tile = tl.program_id(0)
    image = (tile // (rows * columns)).to(tl.int64)
    lane = tl.arange(0, SIDE * SIDE)
    row, col = tile % (rows * columns) // columns * SIDE + lane // SIDE, tile % columns * SIDE + lane % SIDE
    u, v = col.to(tl.float64) + 0.5, row.to(tl.float64) + 0.5
    nearest = tl.full((SIDE * SIDE,), float("inf"), tl.float32)
    best = tl.full((SIDE * SIDE,), -1, tl.int32)
    share_a = tl.zeros((SIDE * SIDE,), tl.float32)
    share_b = tl.zeros((SIDE * SIDE,), tl.float32)
    share_c = tl.zeros((SIDE * SIDE,), tl.float32)
    for number in range(tl.load(ends + tile), tl.load(ends + tile + 1)):
        face = tl.load(members + number)
        corner = corners + (image * faces + face) * 9
        ua, va, za = tl.load(corner), tl.load(corner + 1), tl.load(corner + 2)
        ub, vb, zb = tl.load(corner + 3), tl.load(corner + 4), tl.load(corner + 5)
        uc, vc, zc = tl.load(corner + 6), tl.load(corner + 7), tl.load(corner + 8)
        turn = tl.where((ub - ua) * (vc - va) - (uc - ua) * (vb - va) > 0.0, 1.0, -1.0).to(tl.float64)
        xa, xb, xc = ua - u, ub - u, uc - u
        ya, yb, yc = turn * (va - v), turn * (vb - v), turn * (vc - v)
        edge_a, edge_b, edge_c = xb * yc - xc * yb, xc * ya - xa * yc, xa * yb - xb * ya
        inside = (edge_a >= 0.0) & (edge_b >= 0.0) & (edge_c >= 0.0)
        scale = 1.0 / (edge_a + edge_b + edge_c)
        z = (1.0 / (scale * (edge_a * (1.0 / za) + edge_b * (1.0 / zb) + edge_c * (1.0 / zc)))).to(tl.float32)
        # The limits are float64, as on the CPU: the float32 next to 0.1 is beyond it.
        within = (z.to(tl.float64) > NEAR) & (z.to(tl.float64) < FAR)
        nearer = inside & within & (z < nearest)
        nearest, best = tl.where(nearer, z, nearest), tl.where(nearer, face, best)
        share_a = tl.where(nearer, (edge_a * scale).to(tl.float32), share_a)
        share_b = tl.where(nearer, (edge_b * scale).to(tl.float32), share_b)
        share_c = tl.where(nearer, (edge_c * scale).to(tl.float32), share_c)
    pixel = (image * height + row) * width + col
    known = (row < height) & (col < width)
    tl.store(face_index + pixel, best, mask=known)
    tl.store(depth + pixel, tl.where(best >= 0, nearest, 0.0), mask=known)
    tl.store(barycentrics + 3 * pixel, share_a, mask=known)
    tl.store(barycentrics + 3 * pixel + 1, share_b, mask=known)
    tl.store(barycentrics + 3 * pixel + 2, share_c, mask=known)


def rasterize_on_gpu(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3], all of them indices of vertices
    image_size: tuple[int, int],  # height, width
    cull: bool = False,
    near: float = NEAR,
    far: float = FAR,
) -> tuple[Tensor, Tensor, Tensor]:  # [B, H, W] int32, [B, H, W, 3] float32, [B, H, W] float32
    """Return face index, barycentric coordinates and depth, as `kernels.rasterize_batch` does."""
    size, device = (len(vertices_px), *image_size), vertices_px.device
    with torch.cuda.device_of(vertices_px):  # type: ignore[no-untyped-call]
        tiles = sort_into_tiles(vertices_px, faces, image_size, cull)
        face_index = torch.empty(size, dtype=torch.int32, device=device)
        barycentrics = torch.empty((*size, 3), dtype=torch.float32, device=device)
        depth = torch.empty(size, dtype=torch.float32, device=device)
        if len(tiles.ends) > 1:
            _draw_tile[(len(tiles.ends) - 1,)](
                *(tiles.corners, tiles.ends, tiles.members, face_index, barycentrics, depth),
                *(len(faces), tiles.rows, tiles.columns, *image_size),
                NEAR=float(near),
                FAR=float(far),
                SIDE=TILE,
                enable_fp_fusion=False,
            )
    return face_index, barycentrics, depth
