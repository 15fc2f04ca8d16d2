"""Faces sorted into tiles of the image, on the GPU: where its kernels look for what a point shows.

What a face is, and whether it is drawn, is worked out here in plain PyTorch, by the rules of `kernels`. The Triton
kernels that use it are compiled without fused multiply-add: two faces at an edge must see opposite numbers there.
"""

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2hand.train.render.kernels import MIN_AREA, MIN_DEPTH

TILE = 16
"""Pixels of a side of the tiles."""

MARGIN = 0.01
"""Pixels by which a face is taken to be larger: a point a little outside the image is looked for in the tile beside."""

_BLOCK = 512  # faces that are compared with a tile at a time


@dataclass(frozen=True)
class Tiles:
    """The faces of B meshes on the image plane, and for each tile the drawn ones that may touch it."""

    corners: Tensor  # [B, F, 3, 3] float64 u, v pixels, z metres
    areas: Tensor  # [B, F] float64 twice the signed area, square pixels; 0 for a face that is not drawn
    ends: Tensor  # [B * rows * columns + 1] int64: tile t has members[ends[t] : ends[t + 1]]
    members: Tensor  # [N] int32 faces, each tile's in ascending order
    rows: int
    columns: int


@triton.jit
def _touching(boxes, tile, face, faces, rows, columns):  # type: ignore[no-untyped-def]
    """Say which of some faces may touch a tile; tiles are counted through the batch."""
    row, column = tile % (rows * columns) // columns, tile % columns
    box = boxes + (tile // (rows * columns) * faces + face) * 4
    known = face < faces
    left, right = tl.load(box, mask=known, other=0), tl.load(box + 1, mask=known, other=-1)
    top, bottom = tl.load(box + 2, mask=known, other=0), tl.load(box + 3, mask=known, other=-1)
    return (left <= column) & (column <= right) & (top <= row) & (row <= bottom)


@triton.jit  # type: ignore[untyped-decorator]
def _count(boxes, counts, faces, rows, columns, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Count the faces that may touch a tile."""
    tile = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    found = tl.zeros((BLOCK,), tl.int32)
    for start in range(0, faces, BLOCK):
        found += _touching(boxes, tile, start + lane, faces, rows, columns).to(tl.int32)
    tl.store(counts + tile, tl.sum(found, 0))


@triton.jit  # type: ignore[untyped-decorator]
def _list(boxes, ends, members, faces, rows, columns, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """List the faces that may touch a tile, in ascending order."""
    tile = tl.program_id(0)
    lane = tl.arange(0, BLOCK)
    place = tl.load(ends + tile)
    for start in range(0, faces, BLOCK):
        found = _touching(boxes, tile, start + lane, faces, rows, columns)
        number = tl.cumsum(found.to(tl.int32), 0)
        tl.store(members + place + number - 1, start + lane, mask=found)
        place += tl.sum(found.to(tl.int32), 0)


def sort_into_tiles(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3]
    image_size: tuple[int, int],  # height, width
    cull: bool = False,
) -> Tiles:
    """Find the faces that are drawn, and the tiles that each may touch."""
    corners = vertices_px.double()[:, faces.long()]
    (ua, ub, uc), (va, vb, vc) = corners[..., 0].unbind(-1), corners[..., 1].unbind(-1)
    area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
    in_front = ((corners[..., 2] > MIN_DEPTH) & (corners[..., 2] < math.inf)).all(-1)
    drawn = in_front & (area.abs() > MIN_AREA) & (area.abs() < math.inf)
    if cull:
        drawn &= area < 0
    rows, columns = (math.ceil(length / TILE) for length in image_size)
    box = []
    for axis, count in enumerate((columns, rows)):
        along = corners[..., axis] / TILE
        first = (along.amin(-1) - MARGIN / TILE).clamp(0, count).where(drawn, count)
        last = (along.amax(-1) + MARGIN / TILE).clamp(-1, count - 1).where(drawn, -1)
        box += [first, last]
    boxes = torch.stack(box, dim=-1).floor().int()
    batch, number = area.shape
    tiles = batch * rows * columns
    counts = torch.zeros(tiles, dtype=torch.int32, device=boxes.device)
    if tiles:
        _count[(tiles,)](boxes, counts, number, rows, columns, BLOCK=_BLOCK, enable_fp_fusion=False)
    ends = torch.zeros(tiles + 1, dtype=torch.int64, device=boxes.device)
    torch.cumsum(counts, 0, out=ends[1:])
    members = torch.empty(int(ends[-1]), dtype=torch.int32, device=boxes.device)
    if len(members):
        _list[(tiles,)](boxes, ends, members, number, rows, columns, BLOCK=_BLOCK, enable_fp_fusion=False)
    return Tiles(corners, area.where(drawn, 0.0), ends, members, rows, columns)
