"""The points of a mesh that pixels see, and values of the vertices read there, with gradients.

Whoever draws - the numba kernel or its PyTorch twin - decides which face a pixel shows. Given that, where on
the face the pixel lies, how deep, and what colour it has are smooth functions of the vertices: here they are
in plain PyTorch, and gradients flow. Only the P covered pixels of a batch are worked on, as columns.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surface:
    """The points seen by the P covered pixels of a batch of images."""

    pixels: Tensor  # [P] int64, positions in the flattened [B, H, W]
    corners: Tensor  # [3, P] int64, the face's vertices, positions in the flattened [B, V]
    back: Tensor  # [P] bool, whether the face turns its back
    weights: Tensor  # [3, P] barycentric, on the screen
    depth: Tensor  # [P] metres
    corner_depths: Tensor  # [3, P] metres

    def spread(self, values: Tensor, size: tuple[int, int, int]) -> Tensor:  # [P, ...] -> [B, H, W, ...]
        """Put values where their pixels are in images of that size, and 0 elsewhere."""
        image = values.new_zeros(size[0] * size[1] * size[2], *values.shape[1:])
        return image.index_put((self.pixels,), values).view(*size, *values.shape[1:])

    def pool(self, values: Tensor, size: tuple[int, int, int], factor: int) -> Tensor:  # [C, P] -> [C, B, h, w]
        """Add values up in images that are `factor` times smaller than [B, H, W] = `size`."""
        batch, height, width = size[0], size[1] // factor, size[2] // factor
        rows, columns = self.pixels // size[2], self.pixels % size[2]
        # Rows are counted through the batch; each image has a whole number of pooled rows.
        target = rows // factor * width + columns // factor
        image = values.new_zeros(len(values), batch * height * width)
        image = image.scatter_add(1, target.expand(len(values), -1), values)
        return image.view(-1, batch, height, width)


def locate(
    vertices_px: Tensor,  # [B, V, 3] u, v pixels, z metres
    faces: Tensor,  # [F, 3]
    face_index: Tensor,  # [B, H, W] int32, -1: background
) -> Surface:
    """Find the points on known faces that the centres of the pixels see, differentiably.

    Computed in float64 whatever the vertices' type, as a pixel at the edge of a sliver needs it. Returns
    the type of the vertices.
    """
    _, height, width = face_index.shape
    seen = face_index.flatten()
    pixels = (seen >= 0).nonzero().squeeze(1)
    items, inside = pixels // (height * width), pixels % (height * width)
    corners = faces.t().long()[:, seen[pixels].long()] + items * vertices_px.shape[1]
    u, v, z = at_corners(vertices_px.double().flatten(0, 1), corners)
    xa, xb, xc = u - (inside % width + 0.5)
    ya, yb, yc = v - (inside // width + 0.5)
    edges = torch.stack((xb * yc - xc * yb, xc * ya - xa * yc, xa * yb - xb * ya))
    area = edges.sum(0)
    weights = edges / area
    depth = 1 / (weights / z).sum(0)
    kind = vertices_px.dtype
    return Surface(pixels, corners, area > 0, weights.to(kind), depth.to(kind), z.to(kind))


def interpolate(
    front: Tensor,  # [B, V, C] values at the vertices, for points seen from the front
    back: Tensor,  # [B, V, C] the same, for points seen from behind
    surface: Surface,
) -> Tensor:  # [C, P]
    """Mix the values of each face's corners, linearly on the surface: perspective-correct."""
    sides = torch.cat((front.flatten(0, 1), back.flatten(0, 1)))
    corners = surface.corners + surface.back * (len(sides) // 2)
    weights = surface.weights * surface.depth / surface.corner_depths
    return (weights * at_corners(sides, corners)).sum(1)


def at_corners(values: Tensor, corners: Tensor) -> Tensor:  # [N, C], [3, P] -> [C, 3, P]
    """Return the values of the vertices numbered in `corners`."""
    channels = values.shape[1]
    # Long rows, and `gather` rather than an index: three times as fast on the CPU, mostly in the gradient.
    found = values.t().contiguous().gather(1, corners.reshape(1, -1).expand(channels, -1))
    return found.view(channels, *corners.shape)
