"""Light: ambient and directional, on the colours of the vertices (the paper's L in R^11).

    lit = colour * (ambient intensity * ambient rgb + directional intensity * directional rgb * cos)
    cos = max(0, -normal . direction)

as in neural_renderer and S2HAND: `direction` is the way the light travels, so (0, 0, 1) lights what faces the
camera; it is not normalised, its length scales the light; nothing is clamped, a lit colour may exceed 1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NORMAL_FLOOR = 1e-12
"""Square metres: normals of less area than this are shortened instead of normalised, so that a mesh that has
collapsed stays finite. neural_renderer's is 1e-5, five square millimetres: more than many faces of a hand."""


@dataclass(frozen=True)
class Lights:
    """One ambient and one directional light per image."""

    ambient_intensity: Tensor  # [B, 1]
    directional_intensity: Tensor  # [B, 1]
    ambient_rgb: Tensor  # [B, 3]
    directional_rgb: Tensor  # [B, 3]
    direction: Tensor  # [B, 3] in which the light travels, camera axes

    @classmethod
    def from_code(cls, lights: Tensor) -> "Lights":  # [B, 11]
        """Split the light code L: two intensities, ambient rgb, directional rgb, direction."""
        if lights.ndim != 2 or lights.shape[1] != 11:
            raise ValueError(f"lights: expected [B, 11], found {list(lights.shape)}")
        return cls(*torch.split(lights, [1, 1, 3, 3, 3], dim=1))


def vertex_normals(
    vertices: Tensor,  # [B, V, 3] metres
    faces: Tensor,  # [F, 3]
    floor: float = NORMAL_FLOOR,
) -> Tensor:  # [B, V, 3]
    """Return the outward unit normal at each vertex: that of its faces, weighted by their area.

    Outward is the side from which a face turns counter-clockwise. floor: square metres, see `NORMAL_FLOOR`.
    """
    a, b, c = (vertices[:, faces[:, corner].long()] for corner in range(3))
    areas = torch.linalg.cross(b - a, c - a)
    owners = faces.long().flatten()[None, :, None].expand(len(vertices), -1, 3)
    sums = torch.zeros_like(vertices).scatter_add(1, owners, areas.repeat_interleave(3, dim=1))
    return F.normalize(sums, dim=-1, eps=floor)


def shade(
    colors: Tensor,  # [B, V, 3]
    normals: Tensor,  # [B, V, 3] outward
    lights: Lights,
) -> Tensor:  # [B, V, 3]
    """Return the colours under the lights."""
    facing = -(normals * lights.direction[:, None]).sum(-1, keepdim=True)
    ambient = lights.ambient_intensity * lights.ambient_rgb
    directional = lights.directional_intensity * lights.directional_rgb
    return colors * (ambient[:, None] + directional[:, None] * facing.clamp(min=0))
