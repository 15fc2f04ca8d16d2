"""The hand as one implicit surface that can be posed: blended tubes with elliptic sections, each held by joints.

Negative inside. Values are close to distances in millimetres near the surface, which is all that projection needs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

from s2hand.train.openhand.skeleton import Array

PALM = 5
"""The owner number of the palm; 0-4 are the digits, thumb first."""


@dataclass(frozen=True)
class Tube:
    """A tube between two points, each carried by a joint, with an elliptic section and rounded ends.

    `radii` [K, 3]: side, back and palm half-thickness at the places `knots` [K] in 0..1 along it; `caps`: how far the
    ends reach beyond the two points; `back`: the dorsal direction, carried by the joint of the first point. `owners`:
    the parts of the mesh that lie on this tube. `blend` is the width (mm) of the smooth union with its part. A `limb`
    melts into the palm, but not into the other limbs: fingers never fuse.
    """

    start: Array
    end: Array
    joints: tuple[int, int]
    back: Array
    knots: Array
    radii: Array
    caps: tuple[float, float]
    owners: frozenset[int]
    blend: float
    limb: bool = False

    @cached_property
    def profile(self) -> PchipInterpolator:
        """The section along the tube, interpolated without overshoot."""
        return PchipInterpolator(self.knots, self.radii)

    def value(self, points: Array, rotations: Array, offsets: Array) -> Array:
        """Signed pseudo-distance [N] of points [N, 3] when the joints are carried by rotations and offsets."""
        first, last = self.joints
        start = rotations[first] @ self.start + offsets[first]
        end = rotations[last] @ self.end + offsets[last]
        axis = end - start
        length = float(np.sqrt(axis @ axis))
        axis = axis / length
        back = rotations[first] @ self.back
        back = back - (back @ axis) * axis
        back = back / np.sqrt(back @ back)
        side = np.cross(back, axis)
        away = points - start
        along = away @ axis
        sideways, up = away @ side, away @ back
        radii = self.profile(np.clip(along / length, 0.0, 1.0))
        depth = np.where(up > 0.0, radii[:, 1], radii[:, 2])
        beyond = np.where(along < 0.0, along / self.caps[0], np.maximum(along - length, 0.0) / self.caps[1])
        outside = np.where(along < 0.0, along, np.maximum(along - length, 0.0))
        ratio = np.sqrt((sideways / radii[:, 0]) ** 2 + (up / depth) ** 2 + beyond**2) + 1e-9
        distance = np.sqrt(sideways**2 + up**2 + outside**2) + 1e-9 * np.min(self.radii)
        return np.asarray(distance * (1.0 - 1.0 / ratio))


def smooth_min(first: Array, second: Array, width: float) -> Array:
    """The smaller of two fields, rounded where they differ by less than `width`."""
    overlap = np.maximum(width - np.abs(first - second), 0.0) / width
    return np.asarray(np.minimum(first, second) - overlap**2 * (width / 4.0))


@dataclass(frozen=True)
class HandSurface:
    """All tubes of one hand. At rest, rotations are identities and offsets zero."""

    tubes: tuple[Tube, ...]

    def value(self, points: Array, owner: int, rotations: Array | None = None, offsets: Array | None = None) -> Array:
        """The field [N] of one part (a digit 0-4 or `PALM`) at points [N, 3]."""
        rotations = np.broadcast_to(np.eye(3), (16, 3, 3)) if rotations is None else rotations
        offsets = np.zeros((16, 3)) if offsets is None else offsets
        total: Array | None = None
        limbs = []
        for tube in self.tubes:
            if owner in tube.owners:
                field = tube.value(points, rotations, offsets)
                if owner == PALM and tube.limb:
                    limbs.append((field, tube.blend))
                else:
                    total = field if total is None else smooth_min(total, field, tube.blend)
        if total is None:
            raise ValueError(f"no tube belongs to part {owner}")
        melted = [smooth_min(total, field, blend) for field, blend in limbs]
        return np.asarray(np.min([total, *melted], axis=0))

    def field_and_gradient(
        self, points: Array, owner: int, rotations: Array | None = None, offsets: Array | None = None
    ) -> tuple[Array, Array]:
        """Field [N] and its gradient [N, 3] by central differences."""
        step = 1e-3
        shifts = np.concatenate([np.zeros((1, 3)), step * np.eye(3), -step * np.eye(3)])
        many = (points[None] + shifts[:, None]).reshape(-1, 3)
        values = self.value(many, owner, rotations, offsets).reshape(7, -1)
        return values[0], (values[1:4] - values[4:7]).T / (2.0 * step)

    def project(
        self,
        points: Array,
        owner: int,
        rotations: Array | None = None,
        offsets: Array | None = None,
        steps: int = 5,
        level: Array | float = 0.0,
    ) -> Array:
        """Points [N, 3] moved along the gradient to where the field is `level`, at most 4 millimetres a step."""
        for _ in range(steps):
            value, gradient = self.field_and_gradient(points, owner, rotations, offsets)
            norm = np.maximum(np.sum(gradient**2, axis=1), 0.05)
            move = np.clip((value - level) / norm, -4.0, 4.0)
            points = points - move[:, None] * gradient
        return points
