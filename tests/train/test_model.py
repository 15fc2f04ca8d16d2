"""From code to image: M = s M0 R + T, and the projection."""

import numpy as np
import pytest
import torch

from s2hand.datasets import cameras
from s2hand.train.encoder import Encoded, GeometryCode
from s2hand.train.mano import load_hand_model, place
from s2hand.train.model import HandNetwork, expected_bone, mean_bone, project
from s2hand.train.rotations import axis_angle_to_matrix
from s2hand.train.settings import EncoderSettings
from s2hand.train.texture import TextureCode


@pytest.fixture(scope="module")
def hand():
    return load_hand_model()


@pytest.fixture(scope="module")
def network(hand):
    torch.manual_seed(0)
    return HandNetwork(EncoderSettings(pretrained="never"), hand)


def draw(batch, seed=0):
    """Pose, shape, scale, axis-angle rotation and translation of random hands."""
    random = torch.Generator().manual_seed(seed)
    pose, shape = (0.5 * torch.randn(batch, width, generator=random) for width in (30, 10))
    scale = 1 + 0.2 * torch.rand(batch, 1, generator=random)
    rotation = torch.randn(batch, 3, generator=random)
    translation = torch.tensor([0.05, -0.02, 0.6]) + 0.05 * torch.randn(batch, 3, generator=random)
    return pose, shape, scale, rotation, translation


def texture(batch):
    return TextureCode(torch.full((batch, 778, 3), 0.5), torch.ones(batch, 11))


K = torch.tensor([[[480.0, 0, 112], [0, 470.0, 110], [0, 0, 1]]])


def test_decoded_hands_are_the_hand_model_placed(network, hand):
    pose, shape, scale, rotation, translation = draw(4)
    code = GeometryCode(pose, shape, scale, axis_angle_to_matrix(rotation), translation)
    hands = network.decode(Encoded(code, texture(4), None), K.expand(4, 3, 3))
    expected = place(hand(pose, shape, rotation), scale, translation)
    torch.testing.assert_close(hands.vertices_cam, expected.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(hands.joints_cam, expected.joints, atol=1e-5, rtol=0)


def test_projection_is_that_of_the_data_sets():
    points = torch.rand(3, 21, 3) + torch.tensor([-0.5, -0.5, 0.5])
    theirs = cameras.project(points.numpy(), K.expand(3, 3, 3).numpy())
    np.testing.assert_allclose(project(points, K.expand(3, 3, 3)).numpy(), theirs, rtol=1e-5)


def test_points_behind_the_camera_project_to_finite_places_with_finite_gradients():
    points = torch.tensor([[[0.1, 0.1, -1.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    pixels = project(points, K)
    pixels.sum().backward()
    assert torch.isfinite(pixels).all()
    assert torch.isfinite(points.grad).all()


def test_gradients_of_the_joints_in_the_image(network):
    hand = load_hand_model(dtype=torch.float64)
    double = HandNetwork(EncoderSettings(pretrained="never"), hand)
    parts = [part.double().requires_grad_() for part in draw(1)]

    def pixels(pose, shape, scale, rotation, translation):
        code = GeometryCode(pose, shape, scale, axis_angle_to_matrix(rotation), translation)
        return double.decode(Encoded(code, texture(1), None), K.double()).joints_px[:, ::5]

    assert torch.autograd.gradcheck(pixels, parts, fast_mode=True, atol=1e-3)


def test_forward_reconstructs_every_image(network):
    images = torch.rand(2, 3, 64, 64)
    hands = network(images, K.repeat(2, 1, 1))
    assert hands.joints_cam.shape == (2, 21, 3)
    assert hands.vertices_cam.shape == (2, 778, 3)
    torch.testing.assert_close(hands.joints_px, project(hands.joints_cam, K.repeat(2, 1, 1)))


def test_the_hand_model_is_no_part_of_the_weights(network):
    assert all(name.startswith("encoder.") for name in network.state_dict())
    assert all(name.startswith("encoder.") for name, _ in network.named_parameters())


def test_the_bone_of_mano_is_the_authors(hand, mano_pickle):
    assert expected_bone(load_hand_model(str(mano_pickle))) == 0.0282
    assert expected_bone(hand) == mean_bone(hand)


def test_mean_bone_is_the_length_from_joint_9_to_10(hand):
    joints = hand(torch.zeros(1, 30)).joints[0]
    assert mean_bone(hand) == pytest.approx(float((joints[10] - joints[9]).norm()), rel=1e-6)
    assert 0.02 < mean_bone(hand) < 0.06
