"""The gradient of silhouettes and occlusions on the GPU: the integral of `edge_kernels`, piece by piece the same.

PyTorch finds the edges that are silhouettes and cuts them at the image's border. One program of the Triton kernel
then goes along each of them; on either side of each piece it compares all faces of a tile at once.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from s2hand.train.render.edge_kernels import ASIDE, LONGEST, ROUNDING
from s2hand.train.render.kernels import FAR, NEAR
from s2hand.train.render.topology import Topology
from s2hand.train.render.triton_tiles import TILE, Tiles, sort_into_tiles

_ASIDE, _LONGEST, _ROUNDING = tl.constexpr(ASIDE), tl.constexpr(LONGEST), tl.constexpr(ROUNDING)
_NEAR, _FAR, _TILE = tl.constexpr(NEAR), tl.constexpr(FAR), tl.constexpr(TILE)

_BLOCK = 64  # faces of a tile that are compared at a time


@triton.jit
def _next_border(t, start, way):  # type: ignore[no-untyped-def]
    """Return the t, beyond the given one, at which start + t way comes to the next whole number."""
    place = start + t * way
    border = tl.where(way > 0.0, tl.floor(place + _ROUNDING) + 1.0, tl.ceil(place - _ROUNDING) - 1.0)
    return tl.where(way == 0.0, float("inf"), (border - start) / way)


@triton.jit
def _surface(corner, u, v, known):  # type: ignore[no-untyped-def]
    """Return the depth of faces at points, inf where they are not, and the weights of their corners there.

    The fifth value is twice the signed area. A face that is not `known` is nowhere.
    """
    ua, va, za = tl.load(corner, known), tl.load(corner + 1, known), tl.load(corner + 2, known)
    ub, vb, zb = tl.load(corner + 3, known), tl.load(corner + 4, known), tl.load(corner + 5, known)
    uc, vc, zc = tl.load(corner + 6, known), tl.load(corner + 7, known), tl.load(corner + 8, known)
    area = (ub - ua) * (vc - va) - (uc - ua) * (vb - va)
    scale = 1.0 / area
    xa, ya, xb, yb, xc, yc = ua - u, va - v, ub - u, vb - v, uc - u, vc - v
    wa, wb, wc = (xb * yc - xc * yb) * scale, (xc * ya - xa * yc) * scale, (xa * yb - xb * ya) * scale
    inside = known & (wa >= 0.0) & (wb >= 0.0) & (wc >= 0.0)
    wa, wb, wc = wa / za, wb / zb, wc / zc
    z = 1.0 / (wa + wb + wc)
    seen = inside & (z > _NEAR) & (z < _FAR)
    return tl.where(seen, z, float("inf")), wa * z, wb * z, wc * z, area


@triton.jit  # type: ignore[untyped-decorator]
def _nearest(corners, members, begin, stop, u, v, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the nearest face, -1: none, at each of some points, of the members of its tile from begin to stop."""
    lane = tl.arange(0, BLOCK)[None, :]
    best, nearest = tl.full(u.shape, -1, tl.int32), tl.full(u.shape, float("inf"), tl.float64)
    for offset in range(0, tl.max(stop - begin, 0), BLOCK):
        member = begin[:, None] + offset + lane
        known = member < stop[:, None]
        face = tl.load(members + member, known)
        z, _wa, _wb, _wc, _area = _surface(corners + face * 9, u[:, None], v[:, None], known)
        closest = tl.min(z, 1)
        # Of equals the first in the list, which is in ascending order.
        which = tl.min(tl.where(z == closest[:, None], face, 2147483647), 1)
        nearer = closest < nearest
        best, nearest = tl.where(nearer, which, best), tl.where(nearer, closest, nearest)
    return best


@triton.jit  # type: ignore[untyped-decorator]
def _sum_jumps(  # type: ignore[no-untyped-def]
    lines,
    images,
    corners,
    ends,
    members,
    indices,
    sides,
    background,
    slopes,
    sums,
    batch,
    faces,
    vertices,
    rows,
    columns,
    height,
    width,
    behind_image,
    behind_color,
    behind_row,
    behind_column,
    COLORS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Go along one edge and sum up what its movement outward trades: (inside - outside) ds, and the same times s.

    s runs from 0 to 1. lines: u, v of the edge's start, its way (pixels) and its outward unit normal.
    """
    edge = tl.program_id(0)
    image = tl.load(images + edge)
    line = lines + edge * 6
    left, top, along, down = tl.load(line), tl.load(line + 1), tl.load(line + 2), tl.load(line + 3)
    x, y = tl.load(line + 4), tl.load(line + 5)
    length = tl.sqrt(along * along + down * down)
    sign = 1.0 - 2.0 * tl.arange(0, 2).to(tl.float64)  # inside, outside
    end, total, moment = length * 0.0, length * 0.0, length * 0.0
    while end < 1.0:
        begin = end
        end = tl.minimum(1.0, begin + _LONGEST / length)
        end = tl.minimum(end, tl.minimum(_next_border(begin, left, along), _next_border(begin, top, down)))
        middle = (begin + end) / 2
        u, v = left + middle * along, top + middle * down
        row, column = tl.minimum(v.to(tl.int32), height - 1), tl.minimum(u.to(tl.int32), width - 1)
        pu, pv = u - sign * _ASIDE * x, v - sign * _ASIDE * y
        tile_row = tl.minimum(tl.maximum(pv.to(tl.int32), 0), height - 1) // _TILE
        tile_column = tl.minimum(tl.maximum(pu.to(tl.int32), 0), width - 1) // _TILE
        tile = (image * rows + tile_row) * columns + tile_column
        first, stop = tl.load(ends + tile), tl.load(ends + tile + 1)
        face = _nearest(corners + image * faces * 9, members, first, stop, pu, pv, BLOCK)
        shown = face >= 0
        _z, wa, wb, wc, area = _surface(corners + (image * faces + face) * 9, pu, pv, shown)
        corner = indices + face * 3
        side = sides + (tl.where(area > 0.0, batch, 0) + image) * vertices * COLORS
        a = side + tl.load(corner, shown, 0) * COLORS
        b = side + tl.load(corner + 1, shown, 0) * COLORS
        c = side + tl.load(corner + 2, shown, 0) * COLORS
        behind = background + image * behind_image + row * behind_row + column * behind_column
        slope = slopes + (image * (COLORS + 1) * height + row) * width + column
        value = tl.where(shown, tl.load(slope + COLORS * height * width).to(tl.float64), 0.0)
        for color in tl.static_range(COLORS):
            surface = wa * tl.load(a + color, shown, 0.0).to(tl.float64)
            surface += wb * tl.load(b + color, shown, 0.0).to(tl.float64)
            surface += wc * tl.load(c + color, shown, 0.0).to(tl.float64)
            empty = tl.load(behind + color * behind_color).to(tl.float64)
            value += tl.load(slope + color * height * width).to(tl.float64) * tl.where(shown, surface, empty)
        jump = tl.sum(sign * value, 0) * (end - begin)
        total += jump
        moment += jump * middle
    tl.store(sums + 2 * edge, total)
    tl.store(sums + 2 * edge + 1, moment)


def edge_gradients_on_gpu(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    topology: Topology,
    front: Tensor,  # [B, V, C] colours of the vertices seen from the front
    back: Tensor,  # [B, V, C] the same, seen from behind
    background: Tensor,  # [B or 1, C, H or 1, W or 1]
    slopes: Tensor,  # [B, C + 1, H, W] gradient at the image: its colours, then its silhouette
) -> Tensor:  # [B, V, 2] float64
    """The part of the gradient at u, v of the vertices that the movement of silhouettes makes."""
    batch, vertices, colors = front.shape
    height, width = slopes.shape[2:]
    with torch.cuda.device_of(vertices_px):  # type: ignore[no-untyped-call]
        mesh = vertices_px.double()
        tiles = sort_into_tiles(mesh, topology.faces, (height, width))
        image, ends, outward = _silhouettes(mesh[..., :2], tiles, topology)
        start, stop = _clip(mesh[image[:, None], ends, :2], (width, height))
        seen = start < stop
        image, ends, outward, start, span = image[seen], ends[seen], outward[seen], start[seen], (stop - start)[seen]
        a, b = mesh[image[:, None], ends, :2].unbind(1)
        way = span[:, None] * (b - a)
        lines = torch.cat((a + start[:, None] * (b - a), way, outward), dim=1)
        sums = lines.new_empty(len(lines), 2)
        behind = background.expand(batch, colors, height, width)
        if len(lines):
            _sum_jumps[(len(lines),)](
                *(lines, image, tiles.corners, tiles.ends, tiles.members, topology.faces),
                *(torch.stack((front, back)), behind, slopes.contiguous(), sums),
                *(batch, len(topology.faces), vertices, tiles.rows, tiles.columns, height, width, *behind.stride()),
                COLORS=colors,
                BLOCK=_BLOCK,
                num_warps=1,
                enable_fp_fusion=False,
            )
        total, moment = (sums * way.norm(dim=1, keepdim=True)).unbind(1)
        at_end = start * total + span * moment
        pull = torch.stack((total - at_end, at_end), dim=1)[..., None] * outward[:, None]
        out = mesh.new_zeros(batch * vertices, 2)
        return out.index_add_(0, (image[:, None] * vertices + ends).flatten(), pull.flatten(0, 1)).view(batch, -1, 2)


def _silhouettes(
    mesh_px: Tensor,  # [B, V, 2]
    tiles: Tiles,
    topology: Topology,
) -> tuple[Tensor, Tensor, Tensor]:  # [S] image, [S, 2] vertices, [S, 2] unit normal
    """Find the edges that are silhouettes, and the way that is outward.

    A silhouette belongs to one drawn face, or to two of which one turns its back: both lie on its inside.
    """
    first, second = topology.owners.long().unbind(1)
    one, other = tiles.areas[:, first], tiles.areas[:, second].where(second >= 0, 0.0)
    image, edge = ((one * other <= 0) & ((one != 0) | (other != 0))).nonzero(as_tuple=True)
    face = first[edge].where(one[image, edge] != 0, second[edge])
    ends = topology.edges.long()[edge]
    third = topology.faces.long()[face].sum(1) - ends.sum(1)
    a, b, c = (mesh_px[image, corner] for corner in (ends[:, 0], ends[:, 1], third))
    (x, y), (cx, cy) = (b - a).unbind(1), (c - a).unbind(1)
    turn = torch.where(x * cy - y * cx > 0, 1.0, -1.0)
    normal = torch.stack((turn * y, -turn * x), dim=1)
    return image, ends, normal / normal.norm(dim=1, keepdim=True)


def _clip(
    edges: Tensor,  # [S, 2, 2] u, v of their two ends
    size: tuple[int, int],  # width, height
) -> tuple[Tensor, Tensor]:  # [S], [S]
    """Return the range of t in [0, 1] for which a + t (b - a) lies in the image; empty if start >= stop."""
    start, stop = edges.new_zeros(len(edges)), edges.new_ones(len(edges))
    for a, way, length in zip(edges[:, 0].t(), (edges[:, 1] - edges[:, 0]).t(), size, strict=True):
        low, high = -a / way, (length - a) / way
        beside = (way == 0) & ((a < 0) | (a >= length))
        low, high = low.where(way != 0, 0.0), high.where(way != 0, 1.0)
        start = torch.maximum(start, torch.minimum(low, high)).where(~beside, 1.0)
        stop = torch.minimum(stop, torch.maximum(low, high))
    return start, stop
