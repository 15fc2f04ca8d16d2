"""Rigid motions along a kinematic tree, all joints of one depth at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class KinematicTree:
    """Joints sorted by depth: `order[k]` is the joint at position k, `levels` the slices of one depth each.

    `parents[d]` are, for the joints at depth d + 1, the positions of their parents within depth d.
    """

    order: tuple[int, ...]
    levels: tuple[tuple[int, int], ...]
    parents: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, parents: NDArray[np.int64] | Sequence[int]) -> "KinematicTree":
        """The tree in which joint j hangs on `parents[j]` < j, and -1 marks the root, joint 0."""
        depth = [0]
        for joint in range(1, len(parents)):
            depth.append(depth[parents[joint]] + 1)
        groups = [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
        starts = np.cumsum([0] + [len(group) for group in groups])
        return cls(
            order=tuple(joint for group in groups for joint in group),
            levels=tuple((int(a), int(b)) for a, b in pairwise(starts)),
            parents=tuple(
                tuple(above.index(int(parents[joint])) for joint in group)
                for above, group in pairwise(groups)
            ),
        )

    def transforms(self, rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where each joint and its skin go, in the tree's order.

        `rotations` [B, J, 3, 3] are the joints' own, `rest` [B, J, 3] their positions at rest, both in the
        file's order. Returns each joint's rotation R [B, J, 3, 3] and position [B, J, 3] in space, and the
        shift t [B, J, 3] with which its skin moves: p -> R p + t. The root turns about its own position.
        """
        order = torch.tensor(self.order, device=rest.device)
        rotations, rest = rotations[:, order], rest[:, order]
        turns, positions = [rotations[:, :1]], [rest[:, :1]]
        for (above, start), (_, end), parents in zip(
            self.levels[:-1], self.levels[1:], self.parents, strict=True
        ):
            chosen = list(parents)
            offsets = rest[:, start:end] - rest[:, above:start][:, chosen]
            local = torch.cat([rotations[:, start:end], offsets.unsqueeze(-1)], dim=-1)
            moved = turns[-1][:, chosen] @ local
            turns.append(moved[..., :3])
            positions.append(positions[-1][:, chosen] + moved[..., 3])
        turn, position = torch.cat(turns, dim=1), torch.cat(positions, dim=1)
        return turn, position, position - (turn @ rest.unsqueeze(-1)).squeeze(-1)
