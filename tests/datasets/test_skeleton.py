import numpy as np

from s2hand.datasets import skeleton


def test_there_are_21_named_joints_from_the_wrist_outwards() -> None:
    assert len(skeleton.JOINT_NAMES) == len(set(skeleton.JOINT_NAMES)) == 21
    assert skeleton.JOINT_NAMES[0] == "wrist"
    for finger, joints in skeleton.FINGERS.items():
        names = [skeleton.JOINT_NAMES[joint] for joint in joints]
        assert all(name.startswith(finger) for name in names)
        assert names[-1] == f"{finger}_tip"


def test_tips_and_bases() -> None:
    assert skeleton.TIPS == (4, 8, 12, 16, 20)
    assert skeleton.BASES == (1, 5, 9, 13, 17)


def test_the_20_bones_form_a_tree_that_hangs_at_the_wrist() -> None:
    assert len(skeleton.BONES) == 20
    assert [child for _, child in skeleton.BONES] == list(range(1, 21))
    assert all(parent < child for parent, child in skeleton.BONES)
    assert [child for parent, child in skeleton.BONES if parent == 0] == list(skeleton.BASES)
    assert skeleton.PARENTS[0] == -1


def test_bones_are_measured_by_the_palm() -> None:
    lengths = skeleton.BONE_LENGTHS
    assert len(lengths) == skeleton.JOINT_COUNT
    assert lengths[skeleton.WRIST] == 0
    assert lengths[9] == 1  # wrist to the base of the middle finger
    for joints in list(skeleton.FINGERS.values())[1:]:
        assert sorted((lengths[joint] for joint in joints), reverse=True) == [lengths[joint] for joint in joints]


def test_mano_order_by_name() -> None:
    """MANO: wrist; index, middle, little, ring, thumb with three each; then the tips, thumb to little."""
    ours = {name: joint for joint, name in enumerate(skeleton.JOINT_NAMES)}
    three = dict.fromkeys(("index", "middle", "little", "ring"), ("mcp", "pip", "dip"))
    three["thumb"] = ("cmc", "mcp", "ip")
    mano = ["wrist", *(f"{finger}_{joint}" for finger, joints in three.items() for joint in joints)]
    mano += [f"{finger}_tip" for finger in ("thumb", "index", "middle", "ring", "little")]
    assert [mano[i] for i in skeleton.MANO_TO_OURS] == list(skeleton.JOINT_NAMES)
    assert [ours[name] for name in mano] == skeleton.OURS_TO_MANO.tolist()


def test_conversions_undo_each_other_and_cannot_be_changed() -> None:
    there_and_back = skeleton.MANO_TO_OURS[skeleton.OURS_TO_MANO]
    np.testing.assert_array_equal(there_and_back, np.arange(21))
    assert not skeleton.MANO_TO_OURS.flags.writeable
    assert not skeleton.OURS_TO_MANO.flags.writeable
