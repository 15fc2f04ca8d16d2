"""The hand model against a plain loop, its properties, types and errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from s2hand.train.hand_mirror import mirrored
from s2hand.train.mano import OPEN_HAND, HandModel, Mesh, load_hand_model, place, tip_vertices

TIPS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def hand(random_hand_arrays):
    return HandModel(random_hand_arrays(), tips=TIPS, dtype=torch.float64)


def random_inputs(batch=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, n, generator=generator, dtype=dtype) for n in (45, 10, 3)]


# -----------------------------------------------------------------------------


def rodrigues(vector):
    angle = np.linalg.norm(vector)
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def plain_hand(arrays, tips, axis_angle, shape, rotation):
    """One hand, joint by joint: the definition."""
    shaped = arrays.v_template + arrays.shapedirs @ shape
    rest = arrays.J_regressor @ shaped
    turns = [rodrigues(v) for v in np.concatenate([rotation, axis_angle]).reshape(16, 3)]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    posed = shaped + arrays.posedirs @ feature
    world = []
    for joint, parent in enumerate(arrays.parents):
        local = np.eye(4)
        local[:3, :3] = turns[joint]
        local[:3, 3] = rest[joint] - (rest[parent] if joint else 0)
        world.append(world[parent] @ local if joint else local)
    vertices = np.zeros_like(posed)
    for joint in range(16):
        moved = (posed - rest[joint]) @ world[joint][:3, :3].T + world[joint][:3, 3]
        vertices += arrays.weights[:, joint : joint + 1] * moved
    joints = [w[:3, 3] for w in world]
    return vertices, np.array(joints + [vertices[tip] for tip in tips])


def test_equals_a_plain_loop(hand, random_hand_arrays):
    arrays = random_hand_arrays()
    pose, shape, rotation = random_inputs()
    mesh = hand(shape=shape, rotation=rotation, axis_angle=pose)
    to_ours = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
    for item in range(len(pose)):
        fingers = pose[item].numpy() + arrays.hands_mean
        motion = fingers, shape[item].numpy(), rotation[item].numpy()
        vertices, joints = plain_hand(arrays, TIPS, *motion)
        np.testing.assert_allclose(mesh.vertices[item], vertices, rtol=0, atol=1e-13)
        np.testing.assert_allclose(mesh.joints[item], joints[to_ours], rtol=0, atol=1e-13)


def test_gradients_equal_finite_differences_also_at_no_rotation(hand, random_hand_arrays):
    pose, shape, rotation = random_inputs(batch=2)
    pose, rotation = 0.5 * pose, torch.stack([torch.zeros(3, dtype=torch.float64), rotation[1]])
    pose[0, :] = 0
    flat = HandModel(random_hand_arrays(), TIPS, flat_hand_mean=True, dtype=torch.float64)

    def outputs(axis_angle, shape, rotation):
        mesh = flat(shape=shape, rotation=rotation, axis_angle=axis_angle)
        return mesh.vertices[:, ::200], mesh.joints[:, ::3]

    given = [value.requires_grad_() for value in (pose, shape, rotation)]
    assert torch.autograd.gradcheck(outputs, given, atol=1e-7)


def test_gradients_are_finite_for_an_all_zero_input_in_float32(random_hand_arrays):
    hand = HandModel(random_hand_arrays(), TIPS, flat_hand_mean=True)
    given = [torch.zeros(2, n, requires_grad=True) for n in (30, 10, 3)]
    mesh = hand(*given)
    (mesh.vertices.sum() + mesh.joints.sum()).backward()
    assert all(torch.isfinite(value.grad).all() for value in given)
    assert given[2].grad.abs().max() > 0


def test_rotates_about_the_wrist(hand):
    pose, shape, rotation = random_inputs()
    still, turned = hand(pose, shape), hand(pose, shape, rotation)
    wrist = still.joints[:, :1]
    assert torch.allclose(turned.joints[:, :1], wrist)
    turn = torch.stack([torch.tensor(rodrigues(v.numpy())) for v in rotation])
    assert torch.allclose(turned.vertices, (still.vertices - wrist) @ turn.transpose(1, 2) + wrist)


def test_pose_coefficients_are_components_added_to_the_mean(hand, random_hand_arrays):
    arrays = random_hand_arrays()
    pose, _, _ = random_inputs()
    flat = HandModel(arrays, TIPS, flat_hand_mean=True, dtype=torch.float64)
    axis_angle = pose[:, :12] @ torch.tensor(arrays.hands_components[:12])
    assert torch.allclose(hand(pose[:, :12]).vertices, hand(axis_angle=axis_angle).vertices)
    with_mean = axis_angle + torch.tensor(arrays.hands_mean)
    assert torch.allclose(hand(pose[:, :12]).vertices, flat(axis_angle=with_mean).vertices)
    assert torch.allclose(hand.finger_axis_angle(pose[:, :12]), with_mean)
    assert torch.allclose(flat.finger_axis_angle(axis_angle=with_mean), with_mean)


def test_what_is_left_out_is_zero(hand):
    pose, shape, _ = random_inputs()
    zero = torch.zeros(4, 3, dtype=torch.float64)
    assert torch.equal(hand(pose, shape).vertices, hand(pose, shape, zero).vertices)
    assert torch.equal(hand(pose).vertices, hand(pose, torch.zeros_like(shape), zero).vertices)


def test_a_batch_is_its_items(hand):
    pose, shape, rotation = random_inputs(batch=5)
    together = hand(pose, shape, rotation)
    for item in range(5):
        alone = hand(*(value[item : item + 1] for value in (pose, shape, rotation)))
        assert torch.allclose(alone.vertices[0], together.vertices[item], rtol=0, atol=1e-14)
    empty = hand(pose[:0], shape[:0], rotation[:0])
    assert empty.vertices.shape == (0, 778, 3)


def test_a_left_hand_is_mirrored_and_remembered(random_hand_arrays):
    right = random_hand_arrays()
    left = HandModel(mirrored(right), TIPS, dtype=torch.float64)
    hand = HandModel(right, TIPS, dtype=torch.float64)
    given = random_inputs()
    assert (left.source_side, hand.source_side) == ("left", "right")
    assert torch.equal(left(*given).vertices, hand(*given).vertices)
    assert torch.equal(left.faces, hand.faces)


def test_the_licensed_left_file_is_known_by_its_name(mano_pickle, tmp_path):
    path = tmp_path / "MANO_LEFT.pkl"
    path.write_bytes(mano_pickle.read_bytes())
    left, right = load_hand_model(path), load_hand_model(mano_pickle)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    assert left.source_side == "left"
    zero = torch.zeros(1, 30)
    assert torch.allclose(left(zero).vertices, flip * right(zero).vertices, atol=1e-6)
    assert torch.equal(left.faces, right.faces.flip(1))
    assert torch.equal(load_hand_model(path, side="right").faces, right.faces)


# --- types, devices, errors
# ------------------------------------------------------------------------------------


def test_computes_in_the_inputs_precision(random_hand_arrays):
    hand = HandModel(random_hand_arrays(), TIPS)
    pose, shape, rotation = random_inputs()
    double = hand(pose, shape, rotation)
    assert double.vertices.dtype == torch.float64
    assert hand(pose.float(), shape.float(), rotation.float()).joints.dtype == torch.float32
    assert hand(pose.half(), shape.float()).joints.dtype == torch.float32
    exact = HandModel(random_hand_arrays(), TIPS, dtype=torch.float64)(pose, shape, rotation)
    assert torch.allclose(double.vertices, exact.vertices, rtol=0, atol=1e-6)


def test_autocast_does_not_make_it_coarse(random_hand_arrays):
    hand = HandModel(random_hand_arrays(), TIPS)
    given = random_inputs(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        cast = hand(*given)
    assert torch.equal(cast.vertices, hand(*given).vertices)


def test_has_nothing_to_train_and_moves_as_a_whole(hand, random_hand_arrays):
    assert not list(hand.parameters())
    assert not hand.state_dict()
    moved = HandModel(random_hand_arrays(), TIPS).to("meta")
    assert all(buffer.is_meta for buffer in moved.buffers())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_equals_itself_on_a_gpu(random_hand_arrays):
    hand = HandModel(random_hand_arrays(), TIPS, dtype=torch.float64)
    given = random_inputs()
    expected = hand(*given)
    found = hand.to("cuda")(*(value.cuda() for value in given))
    assert torch.allclose(found.vertices.cpu(), expected.vertices, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either pose or axis_angle, found none"),
        ({"pose": torch.zeros(2, 3), "axis_angle": torch.zeros(2, 45)}, "found both"),
        ({"pose": torch.zeros(2, 46)}, r"pose: expected \[2, n <= 45\], found \[2, 46\]"),
        ({"pose": torch.zeros(45)}, r"pose: expected .* found \[45\]"),
        ({"axis_angle": torch.zeros(2, 44)}, r"axis_angle: expected \[2, 45\], found \[2, 44\]"),
        ({"pose": torch.zeros(2, 3), "shape": torch.zeros(1, 10)}, r"shape: expected .* found \[1, 10\]"),
        ({"pose": torch.zeros(2, 3), "rotation": torch.zeros(2, 4)}, r"rotation: expected \[2, 3\]"),
    ],
)
def test_a_wrong_size_is_refused(hand, given, message):
    with pytest.raises(ValueError, match=message):
        hand(**given)


def test_a_mesh_checks_itself():
    with pytest.raises(ValueError, match=r"joints: expected \[B, 21, 3\], found \[1, 16, 3\]"):
        Mesh(torch.zeros(1, 778, 3), torch.zeros(1, 16, 3))


def test_tips_are_a_named_choice(random_hand_arrays):
    arrays = random_hand_arrays()
    assert tip_vertices(arrays) == tip_vertices(arrays, "freihand") == (744, 320, 443, 555, 672)
    assert tip_vertices(random_hand_arrays(side="left"), "manopth")[2] == 445  # manopth has another one there
    with pytest.raises(ValueError, match=r"tips: expected one of freihand, manopth, smplx .* found 'open'"):
        tip_vertices(arrays, "open")
    own = replace(arrays, fingertips=(9, 8, 7, 6, 5))
    assert tip_vertices(own) == tip_vertices(own, "open") == (9, 8, 7, 6, 5)
    with pytest.raises(ValueError, match="tips: expected one of open for this hand model, found 'manopth'"):
        tip_vertices(own, "manopth")


def test_place_scales_turns_and_shifts(hand):
    pose, shape, rotation = random_inputs()
    mesh = hand(pose, shape)
    scale, shift = torch.tensor([1.0, 2, 0.5, 3]).double(), rotation + 1
    turn = torch.stack([torch.tensor(rodrigues(v.numpy())) for v in rotation])
    placed = place(mesh, scale, shift, rotation)
    expected = scale[:, None, None] * torch.einsum("bij,bvj->bvi", turn, mesh.joints) + shift[:, None]
    assert torch.allclose(placed.joints, expected)
    assert torch.equal(place(mesh, scale[:, None], shift).vertices, place(mesh, scale, shift).vertices)


def test_the_open_hand_is_the_default():
    assert OPEN_HAND.is_file()
    hand = load_hand_model()
    mesh = hand(torch.zeros(1, 30), torch.zeros(1, 10), torch.zeros(1, 3))
    assert torch.equal(mesh.joints[:, [4, 8, 12, 16, 20]], mesh.vertices[:, hand.tips])
    assert torch.equal(load_hand_model("open", tips="open").tips, hand.tips)
    assert 0.1 < (mesh.joints[0, 12] - mesh.joints[0, 0]).norm() < 0.25  # wrist to middle fingertip, metres
