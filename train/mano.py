"""The hand model: pose and shape to a mesh of 778 vertices and 21 joints (the MANO function).

    M0 = W(T(pose, shape), J(shape), pose, weights),    M = s M0 R + T

`T` adds shape directions and pose correctives to the template, `J` are the joints at rest, `W` blends the
rigid motions of 16 joints along the kinematic tree. Everything is batched: shape and pose correctives are
one matrix product over 10 + 135 coefficients, the chain is one product per depth of the tree, the blending
one more.

Sources: Romero, Tzionas, Black, "Embodied Hands" (2017) for W, T and J; S2HAND's section 3.2 for M.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from s2hand.datasets.skeleton import MANO_TO_OURS
from s2hand.train.anatomy import anatomical_axes
from s2hand.train.hand_files import JOINTS, POSES, SHAPES, VERTICES, HandArrays, read_hand_file
from s2hand.train.hand_mirror import as_right_hand
from s2hand.train.kinematics import KinematicTree
from s2hand.train.rotations import axis_angle_to_matrix

OPEN_HAND = Path(__file__).parent / "assets" / "open_hand.npz"

MANO_TIPS: dict[str, tuple[int, int, int, int, int]] = {
    "freihand": (744, 320, 443, 555, 672),
    "manopth": (745, 317, 444, 556, 673),
    "smplx": (744, 320, 443, 554, 671),
}
"""The vertex that each code takes for the tip of thumb, index, middle, ring and little finger of MANO."""
_MANOPTH_LEFT_TIPS = (745, 317, 445, 556, 673)


@dataclass(frozen=True)
class Mesh:
    """A batch of hands in metres."""

    vertices: Tensor  # [B, 778, 3]
    joints: Tensor  # [B, 21, 3] in our joint order

    def __post_init__(self) -> None:
        for name, tensor, count in (("vertices", self.vertices, VERTICES), ("joints", self.joints, 21)):
            if tensor.ndim != 3 or tensor.shape[1:] != (count, 3):
                raise ValueError(f"{name}: expected [B, {count}, 3], found {list(tensor.shape)}")


class HandModel(torch.nn.Module):
    """The right hand of `arrays` (a left one is mirrored), as constant buffers; it has nothing to train.

    `tips` are the five vertices that complete the 16 joints to 21. With `flat_hand_mean` a zero pose is the
    rest pose of the file, else its mean pose. `source_side` remembers which hand the file held,
    `is_mano` whether it leaves the fingertips to its readers, as only the licensed files do.
    """

    faces: Tensor  # [1538, 3] int64, counter-clockwise from outside
    tips: Tensor  # [5] int64
    pose_components: Tensor  # [45, 45] a component per row
    pose_mean: Tensor  # [45]
    rest_joints: Tensor  # [16, 3] of the mean shape, MANO's order
    joint_axes: Tensor  # [15, 3, 3] rows are each finger joint's axes of twist, abduction and flexion at rest
    _basis: Tensor  # [145, 3 * 778] shape directions, then pose correctives, all x before all y
    _template: Tensor  # [3 * 778]
    _joint_basis: Tensor  # [10, 16 * 3] of the joints at rest
    _weights: Tensor  # [16, 778] in the tree's order
    _joint_order: Tensor  # [21] from the tree's order and the tips to ours

    def __init__(
        self,
        arrays: HandArrays,
        tips: tuple[int, ...],
        flat_hand_mean: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.source_side = arrays.side
        self.is_mano = arrays.fingertips is None
        arrays = as_right_hand(arrays)
        self.tree = KinematicTree(arrays.parents)
        basis = np.concatenate([arrays.shapedirs, arrays.posedirs], axis=2)
        joints = arrays.J_regressor @ arrays.v_template
        constants = {
            "pose_components": arrays.hands_components,
            "pose_mean": np.zeros(POSES) if flat_hand_mean else arrays.hands_mean,
            "rest_joints": joints,
            "joint_axes": anatomical_axes(joints, arrays.v_template[list(tips)]),
            "_basis": basis.transpose(2, 1, 0).reshape(basis.shape[2], -1),
            "_template": arrays.v_template.T.reshape(-1),
            "_joint_basis": np.einsum("jv,vck->kjc", arrays.J_regressor, arrays.shapedirs).reshape(SHAPES, -1),
            "_weights": arrays.weights.T[list(self.tree.joints)],
        }
        for name, array in constants.items():
            self.register_buffer(name, torch.tensor(array, dtype=dtype), persistent=False)
        # MANO's joint j stands at position_of[j] in the tree's order; the tips follow.
        position_of = np.concatenate([np.argsort(self.tree.joints), np.arange(JOINTS, 21)])
        self.register_buffer("_joint_order", torch.tensor(position_of[MANO_TO_OURS]), persistent=False)
        self.register_buffer("faces", torch.tensor(arrays.faces), persistent=False)
        self.register_buffer("tips", torch.tensor(tips), persistent=False)

    def forward(
        self,
        pose: Tensor | None = None,  # [B, n <= 45] coefficients of the pose components
        shape: Tensor | None = None,  # [B, 10]
        rotation: Tensor | None = None,  # [B, 3] axis-angle about the wrist joint
        *,
        axis_angle: Tensor | None = None,  # [B, 45] instead of pose
    ) -> Mesh:
        """Mesh and joints in metres, in the hand's own frame, rotated by `rotation` about the wrist joint.

        Give either `pose` or `axis_angle`: 15 finger joints in MANO's order, to which the mean pose is added
        unless flat_hand_mean. No shape means the mean shape, no rotation none. Computes in float64 if an
        input is, else in float32, under autocast too. Raises ValueError for a wrong size.
        """
        given = {"pose": pose, "axis_angle": axis_angle, "shape": shape, "rotation": rotation}
        reference = _check_inputs(given)
        dtype = _working_dtype(given)
        batch = reference.shape[0]  # not len(): the batch stays free when the network is exported
        shape = reference.new_zeros(batch, SHAPES) if shape is None else shape
        rotation = reference.new_zeros(batch, 3) if rotation is None else rotation
        with torch.autocast(reference.device.type, enabled=False):
            fingers = self.finger_axis_angle(pose, axis_angle=axis_angle)
            motions = torch.cat([rotation.to(dtype), fingers], dim=1).view(batch, JOINTS, 3)
            return self._pose_mesh(axis_angle_to_matrix(motions), shape.to(dtype))

    def finger_axis_angle(self, pose: Tensor | None = None, *, axis_angle: Tensor | None = None) -> Tensor:
        """The rotations [B, 45] of the 15 finger joints from the rest pose, the mean pose included."""
        given = {"pose": pose, "axis_angle": axis_angle}
        _check_inputs(given)
        dtype = _working_dtype(given)
        mean = self.pose_mean.to(dtype)
        if axis_angle is not None:
            return axis_angle.to(dtype) + mean
        pose = cast(Tensor, pose).to(dtype)
        return torch.addmm(mean, pose, self.pose_components[: pose.shape[1]].to(dtype))

    def _pose_mesh(self, rotations: Tensor, shape: Tensor) -> Mesh:
        """Mesh for the rotation matrices [B, 16, 3, 3] of all joints against their parents."""
        batch, dtype = rotations.shape[0], rotations.dtype
        feature = (rotations[:, 1:] - torch.eye(3, dtype=dtype, device=rotations.device)).flatten(1)
        coefficients = torch.cat([shape, feature], dim=1)
        posed = torch.addmm(self._template.to(dtype), coefficients, self._basis.to(dtype))
        rest = torch.addmm(self.rest_joints.to(dtype).flatten(), shape, self._joint_basis.to(dtype))
        turns, positions, shifts = self.tree(rotations, rest.view(batch, JOINTS, 3))

        weights = self._weights.to(dtype)
        turn = (turns.permute(0, 2, 3, 1).reshape(-1, JOINTS) @ weights).view(batch, 3, 3, VERTICES)
        shift = (shifts.transpose(1, 2).reshape(-1, JOINTS) @ weights).view(batch, 3, VERTICES)
        turned = (turn * posed.view(batch, 1, 3, VERTICES)).sum(2) + shift
        vertices = turned.transpose(1, 2).contiguous()
        joints = torch.cat([positions, vertices[:, self.tips]], dim=1)[:, self._joint_order]
        return Mesh(vertices, joints)


def load_hand_model(
    source: Path | str = "open",
    flat_hand_mean: bool = False,
    tips: str | None = None,
    side: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> HandModel:
    """The hand model of a file: "open" for the one in the package, or the path of a pickle or .npz.

    Args:
        source: "open", or the path of `MANO_RIGHT.pkl`, `MANO_LEFT.pkl` or an `.npz`. A left hand is mirrored to the
            right.
        flat_hand_mean: a zero pose is the rest pose of the file, else its mean pose.
        tips: the fingertip vertices: "freihand" (also S2HAND's), "manopth" or "smplx" for MANO, "open" for the file's
            own; by default the file's own if it has them, else "freihand".
        side: "right" or "left"; only needed for a left hand whose file doesn't say so, by its name or a field.
        dtype: `torch.float64` for full precision.

    Raises:
        ValueError: with the file and the field that is wrong.

    Examples:
        >>> import torch
        >>> from s2hand.train import load_hand_model
        >>> hand = load_hand_model("open")
        >>> mesh = hand(pose=torch.zeros(2, 30), shape=torch.zeros(2, 10), rotation=torch.zeros(2, 3))
        >>> mesh.vertices.shape, mesh.joints.shape, hand.faces.shape
        (torch.Size([2, 778, 3]), torch.Size([2, 21, 3]), torch.Size([1538, 3]))
    """
    arrays = read_hand_file(OPEN_HAND if source == "open" else source, side)
    return HandModel(arrays, tip_vertices(arrays, tips), flat_hand_mean, dtype)


def tip_vertices(arrays: HandArrays, tips: str | None = None) -> tuple[int, ...]:
    """The five fingertip vertices, thumb to little finger, that `tips` names (see `load_hand_model`)."""
    own = arrays.fingertips
    name = tips or ("freihand" if own is None else "open")
    if name == "open" and own is not None:
        return own
    if name not in MANO_TIPS or own is not None:
        choices = list(MANO_TIPS) if own is None else ["open"]
        raise ValueError(f"tips: expected one of {', '.join(choices)} for this hand model, found {name!r}")
    return _MANOPTH_LEFT_TIPS if (name, arrays.side) == ("manopth", "left") else MANO_TIPS[name]


def place(
    mesh: Mesh,
    scale: Tensor,  # [B] or [B, 1]
    translation: Tensor,  # [B, 3] metres
    rotation: Tensor | None = None,  # [B, 3] axis-angle about the origin
) -> Mesh:
    """The hands in camera space, M = s M0 R + T and J = s J0 R + T: each point p becomes s R p + T.

    R is for a mesh without rotation, or one turned once more: about the origin, not about the wrist.
    """
    size, shift = scale.reshape(-1, 1, 1), translation.unsqueeze(1)
    vertices, joints = mesh.vertices, mesh.joints
    if rotation is not None:
        turn = axis_angle_to_matrix(rotation).transpose(1, 2)
        vertices, joints = vertices @ turn, joints @ turn
    return Mesh(size * vertices + shift, size * joints + shift)


def _check_inputs(given: dict[str, Tensor | None]) -> Tensor:
    """Check the sizes and return pose or axis_angle, whichever was given."""
    pose, axis_angle = given["pose"], given["axis_angle"]
    if (pose is None) == (axis_angle is None):
        raise ValueError(f"expected either pose or axis_angle, found {'none' if pose is None else 'both'}")
    reference = cast(Tensor, axis_angle if pose is None else pose)
    widths = {"axis_angle": POSES, "shape": SHAPES, "rotation": 3}
    for name, tensor in given.items():
        if tensor is None:
            continue
        fits = tensor.ndim == 2 and tensor.shape[0] == reference.shape[0] and tensor.shape[1] <= POSES
        if not fits or tensor.shape[1] != widths.get(name, tensor.shape[1]):
            expected = f"[{len(reference)}, {widths.get(name, 'n <= 45')}]"
            raise ValueError(f"{name}: expected {expected}, found {list(tensor.shape)}")
    return reference


def _working_dtype(given: dict[str, Tensor | None]) -> torch.dtype:
    double = any(tensor is not None and tensor.dtype == torch.float64 for tensor in given.values())
    return torch.float64 if double else torch.float32
