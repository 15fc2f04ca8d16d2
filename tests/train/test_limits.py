"""Anatomical angles: signs, axes, agreement with axis-angle components, and the ranges of E_J."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from s2hand.train.anatomy import anatomical_axes
from s2hand.train.hand_mirror import mirrored
from s2hand.train.limits import (
    RANGES,
    THUMB_BASE,
    joint_angles,
    joint_limit_excess,
    joint_limit_penalty,
)
from s2hand.train.mano import HandModel, load_hand_model
from s2hand.train.openhand.gestures import GESTURES, joint_pose

TWIST, ABDUCTION, FLEXION = range(3)
LAYOUT_TIPS = (16, 17, 18, 19, 20)


@pytest.fixture(scope="module")
def open_hand():
    return load_hand_model(dtype=torch.float64)


@pytest.fixture(scope="module")
def flat_arrays(random_hand_arrays):
    """A hand whose first 21 vertices are its joints and tips: fingers along -x, back +y, thumb at +z."""
    arrays = random_hand_arrays()
    template, regressor = np.zeros((778, 3)), np.zeros((16, 778))
    regressor[:, :16] = np.eye(16)
    for digit, across in enumerate((3.0, 1.0, -3.0, -1.0, 4.0)):  # index, middle, little, ring, thumb
        base = 3.0 if digit == 4 else 9.0
        tip = (1, 2, 4, 3, 0)[digit]
        points = [*range(1 + 3 * digit, 4 + 3 * digit), LAYOUT_TIPS[tip]]
        template[points] = [[-base - 3.0 * k, 0.0, across] for k in range(4)]
    template[4:7, 2] = template[18, 2] = 0.0  # the middle finger is in line with the wrist
    return replace(arrays, v_template=0.01 * template, J_regressor=regressor)


@pytest.fixture(scope="module")
def flat_hand(flat_arrays):
    return HandModel(flat_arrays, LAYOUT_TIPS, flat_hand_mean=True, dtype=torch.float64)


def random_pose(size, batch=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(batch, 45, generator=generator, dtype=torch.float64)


# --- the axes
# ---------------------------------------------------------------------------------------------------


def test_axes_are_right_handed_frames_along_the_bones(mano_pickle, open_hand, random_hand_arrays):
    others = HandModel(random_hand_arrays(), (1, 2, 3, 4, 5)), load_hand_model(mano_pickle)
    for hand in (open_hand, *others):
        axes = hand.joint_axes.double()
        identity = torch.eye(3, dtype=torch.float64).expand(15, 3, 3)
        assert torch.allclose(axes @ axes.transpose(1, 2), identity, atol=1e-6)
        assert torch.allclose(torch.linalg.det(axes), torch.ones(15, dtype=torch.float64), atol=1e-6)
        joints = hand.rest_joints.double()
        for joint in (1, 2, 4, 5, 7, 8, 10, 11, 14):  # with a joint behind them, and not the thumb's base
            bone = joints[joint] - joints[joint + 1]
            assert torch.allclose(axes[joint - 1, 0], bone / bone.norm(), atol=1e-6)


def test_axes_of_a_hand_that_lies_along_x_are_the_models_own(flat_hand):
    identity = torch.eye(3, dtype=torch.float64)
    for joint in range(12):
        assert torch.allclose(flat_hand.joint_axes[joint], identity, atol=1e-12), joint
    assert torch.allclose(flat_hand.joint_axes[THUMB_BASE], identity, atol=1e-12)
    back = torch.tensor([0, 0.5, 0.5], dtype=torch.float64).sqrt()
    assert torch.allclose(flat_hand.joint_axes[13, 1], back)  # midway between the hand's back and thumb side


def test_axes_turn_with_the_hand_and_ignore_its_size(open_hand):
    joints = open_hand.rest_joints.numpy()
    tips = np.random.default_rng(0).random((5, 3))
    turn = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()
    moved = anatomical_axes(3 * joints @ turn.T + 1, 3 * tips @ turn.T + 1)
    np.testing.assert_allclose(moved, anatomical_axes(joints, tips) @ turn.T, rtol=0, atol=1e-12)


# --- the angles
# -------------------------------------------------------------------------------------------------


def test_angles_are_zero_at_rest(open_hand):
    assert joint_angles(torch.zeros(2, 45), open_hand).abs().max() < 1e-6


def test_small_angles_are_the_axis_angles_components_as_its_authors_read_them(flat_hand):
    pose = random_pose(1e-4)
    components = pose.view(-1, 15, 3)
    angles = joint_angles(pose, flat_hand)
    in_line = [*range(12), THUMB_BASE]
    assert torch.allclose(angles[:, in_line], components[:, in_line], rtol=0, atol=1e-6)


def test_small_angles_are_components_in_the_anatomical_axes(open_hand):
    pose = random_pose(1e-4)
    expected = torch.einsum("jxc,bjc->bjx", open_hand.joint_axes, pose.view(-1, 15, 3))
    assert torch.allclose(joint_angles(pose, open_hand), expected, rtol=0, atol=1e-6)


def test_angles_of_any_size_equal_scipys_euler_angles(open_hand):
    expected = np.deg2rad(np.random.default_rng(0).uniform(-80, 80, (6, 15, 3)))
    pose = np.empty((6, 15, 3))
    for joint in range(15):
        order = "XYZ" if joint == THUMB_BASE else "ZYX"  # capitals: about axes that turn along
        angles = expected[:, joint] if joint == THUMB_BASE else expected[:, joint, ::-1]
        axes = open_hand.joint_axes[joint].numpy()
        turn = axes.T @ Rotation.from_euler(order, angles).as_matrix() @ axes
        pose[:, joint] = Rotation.from_matrix(turn).as_rotvec()
    found = joint_angles(torch.tensor(pose).reshape(6, 45), open_hand)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_finger_that_is_spread_and_bent_is_not_twisted(flat_hand):
    spread = Rotation.from_rotvec([0, np.deg2rad(9), 0])
    bent = Rotation.from_rotvec([0, 0, np.deg2rad(85)])
    pose = torch.zeros(1, 45, dtype=torch.float64)
    pose[0, :3] = torch.tensor((bent * spread).as_rotvec())
    assert pose[0, 0].rad2deg().abs() > 6  # the axis-angle's own x seems to be twisted beyond 5 degrees
    angles = joint_angles(pose, flat_hand)[0, 0].rad2deg()
    assert torch.allclose(angles, torch.tensor([0.0, 9.0, 85.0], dtype=torch.float64), atol=1e-9)


@pytest.mark.parametrize("joint", range(15))
def test_positive_flexion_bends_the_open_hand_towards_the_palm(open_hand, joint):
    pose = torch.zeros(1, 45, dtype=torch.float64)
    pose[0, 3 * joint : 3 * joint + 3] = 0.5 * open_hand.joint_axes[joint, 2]
    flat = load_hand_model(flat_hand_mean=True, dtype=torch.float64)
    assert joint_angles(pose, flat)[0, joint, FLEXION] == pytest.approx(0.5)
    tip = (8, 8, 8, 12, 12, 12, 20, 20, 20, 16, 16, 16, 4, 4, 4)[joint]
    still, bent = flat(axis_angle=0 * pose).joints[0, tip], flat(axis_angle=pose).joints[0, tip]
    back = flat.joint_axes[THUMB_BASE, 1]
    assert (bent - still) @ back < -0.005  # metres


def test_the_gestures_flexion_is_positive_flexion(open_hand):
    straight = torch.tensor(joint_pose(np.zeros((5, 3))))
    bent = torch.tensor(joint_pose(np.full((5, 3), 0.6)))
    angles = joint_angles(torch.stack([straight, bent]), open_hand)
    difference = (angles[1] - angles[0])[:, FLEXION]
    fingers = [joint for joint in range(15) if joint != THUMB_BASE]
    assert torch.allclose(difference[fingers], torch.tensor(0.6).double(), rtol=0, atol=0.1)


def test_opposition_and_spreading_of_the_thumb_are_positive(open_hand):
    rest = joint_pose(np.zeros((5, 3)))
    opposed = joint_pose(np.zeros((5, 3)), opposition=0.7)
    away = joint_pose(np.zeros((5, 3)), splay=[0.3, 0, 0, 0, 0])
    angles = joint_angles(torch.tensor(np.stack([rest, opposed, away])), open_hand)[:, THUMB_BASE]
    assert angles[1, TWIST] - angles[0, TWIST] == pytest.approx(0.7, abs=0.1)
    assert angles[2, ABDUCTION] - angles[0, ABDUCTION] > 0.1


def test_spreading_the_index_finger_towards_the_thumb_is_positive(open_hand):
    wide = joint_pose(np.zeros((5, 3)), splay=[0, 0.2, 0, 0, 0])
    rest = joint_pose(np.zeros((5, 3)))
    angles = joint_angles(torch.tensor(np.stack([rest, wide])), open_hand)[:, 0]
    assert angles[1, ABDUCTION] - angles[0, ABDUCTION] == pytest.approx(0.2, abs=0.02)


def test_a_mirrored_left_hand_has_the_same_angles(flat_arrays, flat_hand):
    left = HandModel(mirrored(flat_arrays), LAYOUT_TIPS, flat_hand_mean=True, dtype=torch.float64)
    pose = random_pose(0.5)
    assert torch.allclose(joint_angles(pose, left), joint_angles(pose, flat_hand))


# --- the ranges
# -------------------------------------------------------------------------------------------------


def test_excess_is_what_lies_outside_the_range():
    angles = torch.zeros(1, 15, 3)
    angles[0, 0] = torch.tensor([6.0, -12.0, 104.0]).deg2rad()  # index, knuckle
    angles[0, 6] = torch.tensor([-18.0, 19.0, -13.0]).deg2rad()  # little finger, knuckle
    angles[0, 12] = torch.tensor([-3.0, 35.0, 22.0]).deg2rad()  # thumb, base
    angles[0, 14] = torch.tensor([0.0, 0.0, -21.0]).deg2rad()  # thumb, last joint
    expected = torch.zeros(1, 15, 3)
    expected[0, 0] = torch.tensor([1.0, 2.0, 4.0])
    expected[0, 6] = torch.tensor([0.0, 0.0, 3.0])
    expected[0, 12] = torch.tensor([3.0, 1.25, 0.0])
    expected[0, 14] = torch.tensor([0.0, 0.0, 1.0])
    assert torch.allclose(joint_limit_excess(angles).rad2deg(), expected, atol=1e-4)
    weighted = expected * torch.tensor([1.0, 1.0, 2.0])
    assert torch.allclose(joint_limit_penalty(angles).rad2deg(), weighted, atol=1e-4)


def test_the_ranges_hold_the_rest_pose():
    ranges = np.array(RANGES)
    assert ranges.shape == (15, 3, 2)
    assert (ranges[..., 0] <= 0).all()
    assert (ranges[..., 1] > 0).all()


@pytest.mark.parametrize(("name", "degrees"), [("flat", 0.1), ("relaxed", 0.5), ("fist", 4.0), ("pinch", 0.5)])
def test_gestures_exceed_the_ranges_little(open_hand, name, degrees):
    pose = torch.tensor(GESTURES[name])[None]
    assert joint_limit_excess(joint_angles(pose, open_hand)).rad2deg().mean() < degrees


def test_the_mean_pose_exceeds_the_ranges_little_and_a_broken_hand_much(open_hand):
    mean = open_hand.finger_axis_angle(torch.zeros(1, 1, dtype=torch.float64))
    assert joint_limit_excess(joint_angles(mean, open_hand)).rad2deg().mean() < 1.0
    broken = random_pose(1.5)
    assert joint_limit_excess(joint_angles(broken, open_hand)).rad2deg().mean() > 15.0


def test_gradients_are_right_and_finite_at_rest(open_hand):
    def penalty(pose):
        return joint_limit_penalty(joint_angles(pose, open_hand))

    assert torch.autograd.gradcheck(penalty, random_pose(0.4, batch=2).requires_grad_())
    rest = torch.zeros(1, 45, dtype=torch.float64, requires_grad=True)
    joint_angles(rest, open_hand).sum().backward()
    assert torch.isfinite(rest.grad).all()
    assert torch.allclose(rest.grad.view(15, 3), open_hand.joint_axes.sum(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_inputs_precision(open_hand, dtype):
    angles = joint_angles(torch.zeros(2, 45, dtype=dtype), open_hand)
    assert joint_limit_penalty(angles).dtype == angles.dtype == dtype
