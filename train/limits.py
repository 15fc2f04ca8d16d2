"""Angles of the finger joints in anatomical terms, and how far they exceed what a hand can do.

The joint term E_J of Eq. 9 penalizes rotation angles beyond a feasible range (the paper's Fig. 3B; its
ranges are those of `RANGES`). Its authors read the angles off the x, y and z of MANO's axis-angle vectors.
Here they are Euler angles about each joint's anatomical axes (see `s2hand.train.anatomy`), which is the same
for small angles and for a finger that lies along MANO's x axis, works for every hand model, and keeps a
finger that is spread and bent at once from seeming twisted.

All angles are in radians and zero in the rest pose: twist about the bone (from tip to base), abduction
towards the thumb's side, flexion towards the palm. At the thumb's base they are turns about the hand's own
axes: opposition in front of the palm, away from the index finger, and towards the palm.
"""

import math

import torch
from torch import Tensor

from s2hand.train.mano import HandModel
from s2hand.train.rotations import axis_angle_to_matrix

THUMB_BASE = 12  # among the 15 joints after the wrist: index, middle, little, ring, thumb
AXIS_WEIGHTS = (1.0, 1.0, 2.0)
"""Weights of twist, abduction and flexion in the penalty."""

_KNUCKLE = ((-5, 5), (-10, 10), (-10, 100))
_FINGER = ((-5, 5), (-5, 5), (-10, 100))
RANGES = (
    *(_KNUCKLE, _FINGER, _FINGER),  # index
    *(_KNUCKLE, _FINGER, _FINGER),  # middle
    *(((-20, 5), (-10, 20), (-10, 100)), _FINGER, _FINGER),  # little
    *(_KNUCKLE, _FINGER, _FINGER),  # ring
    *(((0, 90), (-22.5, 33.75), (-22.5, 22.5)), ((-5, 5), (-5, 5), (-22.5, 22.5))),  # thumb
    ((-5, 5), (-5, 5), (-20, 100)),  # its last joint
)
"""Degrees [15, 3, 2]: twist, abduction and flexion of each joint, from and to, in MANO's order."""


def joint_angles(
    axis_angle: Tensor,  # [B, 45] radians from the rest pose, as HandModel.finger_axis_angle gives them
    hand: HandModel,
) -> Tensor:
    """Twist, abduction and flexion [B, 15, 3] in radians of each joint against its parent.

    A finger's rotation is flexion after abduction after twist, R = Rz Ry Rx in its axes; at the thumb's base
    the order is the reverse, so that opposition carries the rest along. Finite gradients up to abductions of
    90 degrees.
    """
    axes = hand.joint_axes.to(axis_angle.dtype)
    turns = axes @ axis_angle_to_matrix(axis_angle.view(-1, 15, 3)) @ axes.transpose(1, 2)
    fingers = _angles_twist_first(turns)
    thumb = -_angles_twist_first(turns[:, THUMB_BASE].transpose(1, 2))
    return torch.cat([fingers[:, :THUMB_BASE], thumb.unsqueeze(1), fingers[:, THUMB_BASE + 1 :]], dim=1)


def joint_limit_excess(angles: Tensor) -> Tensor:
    """How far `angles` [B, 15, 3] lie outside RANGES, in radians; zero inside."""
    bounds = torch.tensor(RANGES, dtype=angles.dtype, device=angles.device) * (math.pi / 180.0)
    return (angles - bounds[..., 1]).clamp(min=0.0) + (bounds[..., 0] - angles).clamp(min=0.0)


def joint_limit_penalty(angles: Tensor) -> Tensor:
    """The unreduced E_J [B, 15, 3]: the excess of each angle times its axis' weight."""
    return joint_limit_excess(angles) * angles.new_tensor(AXIS_WEIGHTS)


def _angles_twist_first(matrix: Tensor) -> Tensor:
    """Angles (x, y, z) of R = Rz Ry Rx for matrices [..., 3, 3]."""
    across = torch.hypot(matrix[..., 0, 0], matrix[..., 1, 0])
    twist = torch.atan2(matrix[..., 2, 1], matrix[..., 2, 2])
    abduction = torch.atan2(-matrix[..., 2, 0], across)
    flexion = torch.atan2(matrix[..., 1, 0], matrix[..., 0, 0])
    return torch.stack([twist, abduction, flexion], dim=-1)
