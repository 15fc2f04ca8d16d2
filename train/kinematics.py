"""Rigid motions along a kinematic tree, all joints of one depth at once."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class KinematicTree(torch.nn.Module):
    """The tree in which joint j hangs on `parents[j]` < j, and -1 marks the root, joint 0.

    `joints` lists the joints sorted by depth, which is the order of everything that `forward` returns.
    """

    order: Tensor  # [J] int64, the same as `joints`

    def __init__(self, parents: NDArray[np.int64] | Sequence[int]) -> None:
        super().__init__()
        depth = [0]
        for joint in range(1, len(parents)):
            depth.append(depth[parents[joint]] + 1)
        levels = [[j for j, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]
        self.joints = tuple(joint for level in levels for joint in level)
        self.sizes = [len(level) for level in levels]
        self.register_buffer("order", torch.tensor(self.joints), persistent=False)
        for number, (above, level) in enumerate(pairwise(levels)):
            places = [above.index(int(parents[joint])) for joint in level]
            self.register_buffer(f"parents_{number}", torch.tensor(places), persistent=False)

    def forward(
        self,
        rotations: Tensor,  # [B, J, 3, 3] of each joint against its parent, in the file's order
        rest: Tensor,  # [B, J, 3] the joints at rest, in the file's order
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where each joint and its skin go; the root turns about its own position.

        Returns, in the tree's order, each joint's rotation R [B, J, 3, 3] and position [B, J, 3] in space,
        and the shift t [B, J, 3] with which its skin moves: p -> R p + t.
        """
        rest = rest.index_select(1, self.order)
        own = torch.split(rotations.index_select(1, self.order), self.sizes, dim=1)
        at_rest = torch.split(rest, self.sizes, dim=1)
        turns, positions = [own[0]], [at_rest[0]]
        for level in range(1, len(self.sizes)):
            parents = self.get_buffer(f"parents_{level - 1}")
            offsets = at_rest[level] - at_rest[level - 1].index_select(1, parents)
            local = torch.cat([own[level], offsets.unsqueeze(-1)], dim=-1)
            moved = turns[-1].index_select(1, parents) @ local
            turns.append(moved[..., :3])
            positions.append(positions[-1].index_select(1, parents) + moved[..., 3])
        turn, position = torch.cat(turns, dim=1), torch.cat(positions, dim=1)
        return turn, position, position - (turn @ rest.unsqueeze(-1)).squeeze(-1)
