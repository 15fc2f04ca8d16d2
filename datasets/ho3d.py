"""Reader of HO-3D, versions 2 and 3 (Hampali et al., CVPR 2020): right hands that hold an object.

HO-3D's axes are OpenGL's (x right, y up, z backward), its joint order MANO's.
"""

import numpy as np
from numpy.typing import ArrayLike

from s2hand.datasets.cameras import Floats, flip_axes
from s2hand.datasets.skeleton import MANO_TO_OURS, OURS_TO_MANO


def to_ho3d_points(points_cam: ArrayLike) -> Floats:  # [..., 3]
    """Turn camera points, of a mesh for example, into HO-3D's axes."""
    return flip_axes(points_cam)


def from_ho3d_points(points: ArrayLike) -> Floats:  # [..., 3]
    """Turn points in HO-3D's axes into ours: the inverse of `to_ho3d_points`."""
    return flip_axes(points)


def to_ho3d_joints(joints_cam: ArrayLike) -> Floats:  # [..., 21, 3]
    """Turn joints into HO-3D's axes and order."""
    return flip_axes(np.asarray(joints_cam)[..., OURS_TO_MANO, :])


def from_ho3d_joints(joints: ArrayLike) -> Floats:  # [..., 21, 3]
    """Turn joints in HO-3D's axes and order into ours: the inverse of `to_ho3d_joints`."""
    return flip_axes(np.asarray(joints)[..., MANO_TO_OURS, :])
