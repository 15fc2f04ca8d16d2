"""Posing finger by finger: signs, ranges, collisions, and agreement with the hand model's layer."""

import subprocess
import sys

import numpy as np
import pytest

from s2hand.train.openhand.collisions import penetration, segment_distance
from s2hand.train.openhand.gestures import GESTURES, joint_pose, sample_gesture
from s2hand.train.openhand.kinematics import joint_transforms, rotation_matrix, rotation_vector, skin
from s2hand.train.openhand.skeleton import DIGITS, REST_FLEXION, Build, digit_joints, mean_skeleton

REST = np.deg2rad([REST_FLEXION[digit] for digit in DIGITS])  # [5, 3]


def tip(pose, number):
    """A fingertip of the mean hand in a pose, millimetres."""
    skeleton = mean_skeleton()
    rotations, offsets = joint_transforms(pose, skeleton.joints)
    joint = digit_joints(DIGITS[number])[2]
    return rotations[joint] @ skeleton.tips[number] + offsets[joint]


def test_rest_is_zero():
    np.testing.assert_allclose(joint_pose(REST), 0.0, atol=1e-12)


def test_rotation_vectors_round_trip():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    vectors[0] = 0.0
    vectors[1] *= 1e-9
    np.testing.assert_allclose(rotation_vector(rotation_matrix(vectors)), vectors, atol=1e-9)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_one_finger_bends_towards_the_palm_alone(number):
    bent = REST.copy()
    bent[number] += np.deg2rad([45.0, 50.0, 30.0])
    before, after = joint_pose(REST), joint_pose(bent)
    assert tip(after, number)[1] < tip(before, number)[1] - 30.0
    for other in set(range(5)) - {number}:
        np.testing.assert_allclose(tip(after, other), tip(before, other), atol=1e-9)


def test_splay_spreads_and_opposition_brings_the_thumb_before_the_palm():
    fan = np.deg2rad([14.0, 10.0, 1.0, -8.0, -16.0])
    wide, narrow = joint_pose(REST, splay=fan), joint_pose(REST, splay=-0.3 * fan)
    assert np.linalg.norm(tip(wide, 1) - tip(wide, 4)) > np.linalg.norm(tip(narrow, 1) - tip(narrow, 4)) + 20.0
    beside, before = (tip(joint_pose(REST, opposition=np.deg2rad(angle)), 0) for angle in (0.0, 50.0))
    assert before[1] < beside[1] - 30.0
    assert before[2] < beside[2] - 20.0


def test_batches_are_poses_side_by_side():
    bends = np.random.default_rng(1).random((4, 5, 3))
    together = joint_pose(bends, 0.1, np.full(4, 0.2), 0.05)
    for row, bend in enumerate(bends):
        np.testing.assert_allclose(together[row], joint_pose(bend, 0.1, 0.2, 0.05), atol=1e-12)


def test_named_poses_go_through_nothing():
    assert {"flat", "fist", "pinch", "spread", "point", "relaxed", "ok", "victory", "thumbs_up"} <= set(GESTURES)
    for name, pose in GESTURES.items():
        assert pose.shape == (45,)
        assert penetration(pose) < 2.0, name


def test_pinch_and_fist_bring_the_thumb_where_it_belongs():
    assert np.linalg.norm(tip(GESTURES["pinch"], 0) - tip(GESTURES["pinch"], 1)) < 25.0
    skeleton = mean_skeleton()
    rotations, offsets = joint_transforms(GESTURES["fist"], skeleton.joints)
    knuckle = rotations[5] @ skeleton.joints[5] + offsets[5]
    assert np.linalg.norm(tip(GESTURES["fist"], 0) - knuckle) < 40.0


def test_samples_are_repeatable_varied_and_mostly_free():
    samples = [np.array([sample_gesture(rng) for _ in range(60)]) for rng in map(np.random.default_rng, (3, 3))]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (penetration(samples[0]) <= 1.5).mean() > 0.9
    assert samples[0].std(axis=0).max() > 0.4


def test_collisions_are_seen():
    assert penetration(np.zeros(45)) < 0.5
    curled = np.deg2rad([(0, 0, 0), *4 * [(88, 105, 66)]])
    through = joint_pose(curled, opposition=np.deg2rad(72.0))  # the straight thumb goes through the fist
    assert penetration(through) > 5.0


def test_distance_of_segments():
    p, q = np.zeros(3), np.array([1.0, 0, 0])
    assert segment_distance(p, q, np.array([0.5, 1, -1]), np.array([0.5, 1, 1])) == pytest.approx(1.0)
    assert segment_distance(p, q, np.array([3.0, 0, 0]), np.array([5.0, 0, 0])) == pytest.approx(2.0)


def test_a_build_that_is_no_hand_is_refused():
    with pytest.raises(ValueError, match=r"Build\.size"):
        Build(size=5.0)


def test_twin_agrees_with_the_layer():
    """The numpy chain and skinning here against the differentiable layer."""
    torch = pytest.importorskip("torch")
    from s2hand.train.hand_files import read_hand_file
    from s2hand.train.mano import OPEN_HAND, load_hand_model

    arrays = read_hand_file(OPEN_HAND)
    pose = GESTURES["fist"]
    joints = arrays.J_regressor @ arrays.v_template
    rotations, offsets = joint_transforms(pose, joints)
    bends = (rotation_matrix(pose.reshape(15, 3)) - np.eye(3)).ravel()
    mine = skin(arrays.v_template + arrays.posedirs @ bends, arrays.weights, rotations, offsets)
    layer = load_hand_model("open", flat_hand_mean=True, dtype=torch.float64)
    theirs = layer(axis_angle=torch.tensor(pose[None])).vertices[0].numpy()
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_gestures_load_no_heavy_library():
    code = (
        "import sys, s2hand.train.openhand.gestures;"
        "bad = {'torch', 'scipy', 'skimage', 'numba'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
