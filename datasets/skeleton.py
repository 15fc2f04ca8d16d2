"""The one hand skeleton: 21 joints, 20 bones, and the conversions from other joint orders.

Everywhere in the project joints come in this order: wrist, then thumb, index, middle, ring and little finger,
each from base to tip. It is the order of OpenPose and of FreiHAND. Data in another order is converted here,
at the edge, with an index array: `ours = theirs[MANO_TO_OURS]`.
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

JOINT_NAMES: tuple[str, ...] = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *("index_mcp", "index_pip", "index_dip", "index_tip"),
    *("middle_mcp", "middle_pip", "middle_dip", "middle_tip"),
    *("ring_mcp", "ring_pip", "ring_dip", "ring_tip"),
    *("little_mcp", "little_pip", "little_dip", "little_tip"),
)

JOINT_COUNT = len(JOINT_NAMES)
WRIST = 0

FINGERS: MappingProxyType[str, tuple[int, int, int, int]] = MappingProxyType(
    {
        "thumb": (1, 2, 3, 4),
        "index": (5, 6, 7, 8),
        "middle": (9, 10, 11, 12),
        "ring": (13, 14, 15, 16),
        "little": (17, 18, 19, 20),
    }
)
"""Finger to its four joints, base to tip."""

BASES: tuple[int, ...] = tuple(joints[0] for joints in FINGERS.values())
TIPS: tuple[int, ...] = tuple(joints[-1] for joints in FINGERS.values())

PARENTS: tuple[int, ...] = (
    -1,
    *(parent for finger in FINGERS.values() for parent in (WRIST, *finger[:3])),
)
"""Parent of each joint on the way to the wrist; the wrist's own is -1."""

BONES: tuple[tuple[int, int], ...] = tuple((PARENTS[joint], joint) for joint in range(1, JOINT_COUNT))
"""The 20 bones as (parent, child)."""

BONE_LENGTHS: tuple[float, ...] = (
    *(0.0, 0.34, 0.53, 0.39, 0.34),
    *(1.02, 0.53, 0.30, 0.25),
    *(1.00, 0.58, 0.35, 0.26),
    *(0.96, 0.53, 0.34, 0.26),
    *(0.94, 0.44, 0.25, 0.23),
)
"""Length of the bone that ends in each joint, of an average hand, over the distance from the wrist to the base of the
middle finger. (The open hand's; the wrist has no bone.)"""


def _frozen(indices: list[int]) -> NDArray[np.intp]:
    array = np.array(indices, dtype=np.intp)
    array.flags.writeable = False
    return array


MANO_TO_OURS: NDArray[np.intp] = _frozen([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])
"""[21] index into MANO's order: 16 joints (wrist; index, middle, little, ring, thumb with three each), then
the five tips from thumb to little finger. HO3D has the same order. `ours = theirs[MANO_TO_OURS]`."""

OURS_TO_MANO: NDArray[np.intp] = _frozen([int(i) for i in np.argsort(MANO_TO_OURS)])
"""[21] the inverse: `mano = ours[OURS_TO_MANO]`."""
