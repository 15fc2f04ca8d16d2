"""The geometry code: where training starts, and how crops and cameras act on it."""

import dataclasses

import pytest
import torch
from timm.models._efficientnet_blocks import InvertedResidual

from s2hand.train.encoder import Anchor, Encoder, GeometryCode, back_project, bounded
from s2hand.train.integral import expected_places
from s2hand.train.model import project
from s2hand.train.rotations import axis_angle_to_matrix
from s2hand.train.settings import EncoderSettings

ANCHOR = Anchor(torch.tensor([0.01, 0.02, 0.03]), torch.tensor([-0.08, 0.02, 0.03]))
FREIHAND_K = torch.tensor([[480.0, 0, 112], [0, 480.0, 112], [0, 0, 1]])


def encoder(**settings):
    torch.manual_seed(0)
    return Encoder(EncoderSettings(pretrained="never", **settings), ANCHOR)


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("settings", [{}, {"rotation": "axis_angle"}, {"grid": 2}, {"grid": 2, "hidden": 16}], ids=str)
def test_training_starts_with_a_mean_hand_in_front_of_the_camera(images, settings):
    K = FREIHAND_K.repeat(2, 1, 1)
    K[:, :2] *= 64 / 224
    code = encoder(**settings).eval()(images, K).code
    assert code.pose.abs().max() < 0.1
    assert code.shape.abs().max() < 0.1
    torch.testing.assert_close(code.scale, torch.ones(2, 1), atol=0.1, rtol=0)
    torch.testing.assert_close(code.translation[:, 2], torch.full((2,), 0.65), atol=0.08, rtol=0)
    identity = torch.eye(3).expand(2, 3, 3)
    torch.testing.assert_close(code.rotation @ code.rotation.transpose(1, 2), identity, atol=1e-5, rtol=0)
    assert (torch.linalg.det(code.rotation) > 0.999).all()
    knuckle = code.scale * (code.rotation @ (ANCHOR.knuckle - ANCHOR.wrist) + ANCHOR.wrist) + code.translation
    centre = project(knuckle.unsqueeze(1), K)[:, 0]
    torch.testing.assert_close(centre, torch.full((2, 2), 32.0), atol=4, rtol=0)


def test_fresh_weights_begin_shallow():
    blocks = [m for m in encoder().modules() if isinstance(m, InvertedResidual) and m.has_skip]
    assert len(blocks) == 9
    for block in blocks:
        channels = block.bn3.num_features
        x = torch.randn(2, channels, 4, 4)
        torch.testing.assert_close(block.eval()(x), x)
        inside = torch.rand(2, block.conv_pwl.in_channels, 4, 4)
        assert (block.se(inside) > 0.9 * inside).all()


def test_places_in_the_crop_become_points_that_project_there():
    K = torch.tensor([[[300.0, 5, 20], [0, 250, 70], [0, 0, 1]]])
    place = torch.tensor([[0.5, -0.25, 0.3]])
    point = back_project(place, K, 100)
    torch.testing.assert_close(project(point.unsqueeze(1), K)[0, 0], torch.tensor([75.0, 37.5]))
    further = back_project(place + torch.tensor([0, 0, 1.0]), K, 100)
    ratio = bounded(torch.tensor(1.3), 8.0) / bounded(torch.tensor(0.3), 8.0)
    torch.testing.assert_close(further, point * ratio)


def test_scale_and_distance_stay_finite_whatever_the_network_says():
    factors = bounded(torch.tensor([-1e9, -0.01, 0.0, 0.01, 1e9]), 8.0)
    torch.testing.assert_close(factors, torch.tensor([1 / 8, 0.99005, 1.0, 1.01005, 8.0]))


def test_a_zoomed_crop_of_the_same_place_is_nearer():
    place = torch.zeros(1, 3)
    near = back_project(place, FREIHAND_K[None], 224)
    far = back_project(place, (torch.diag(torch.tensor([2.0, 2.0, 1.0])) @ FREIHAND_K)[None], 224)
    torch.testing.assert_close(far[0, 2], 2 * near[0, 2])


def test_all_parameters_get_gradients(images):
    network = encoder()
    encoded = network(images, FREIHAND_K.repeat(2, 1, 1))
    codes = (encoded.code, encoded.texture)
    sum(getattr(code, field.name).sum() for code in codes for field in dataclasses.fields(code)).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_code_is_float32_under_autocast(images):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        code = encoder()(images, FREIHAND_K.repeat(2, 1, 1)).code
    assert all(getattr(code, field.name).dtype == torch.float32 for field in dataclasses.fields(code))


def test_code_as_one_vector(images):
    with torch.no_grad():
        code = encoder(rotation="axis_angle").eval()(images, FREIHAND_K.repeat(2, 1, 1)).code
    vector = code.vector()
    assert vector.shape == (2, 47)
    torch.testing.assert_close(vector[:, -3:], code.translation)
    torch.testing.assert_close(vector[:, 40:41], code.scale)
    torch.testing.assert_close(axis_angle_to_matrix(vector[:, 41:44]), code.rotation, atol=1e-5, rtol=0)


def test_code_of_the_wrong_size_is_refused():
    parts = {"pose": 30, "shape": 10, "scale": 1, "translation": 3}
    tensors = {name: torch.zeros(2, width) for name, width in parts.items()}
    with pytest.raises(ValueError, match=r"GeometryCode.rotation: expected \[2, 3, 3\], found \[2, 3\]"):
        GeometryCode(rotation=torch.zeros(2, 3), **tensors)


@pytest.mark.parametrize("rotation", ["six_d", "axis_angle"])
def test_training_begins_with_the_fingers_up(rotation):
    torch.manual_seed(0)
    code = encoder(rotation=rotation).eval()(torch.rand(3, 3, 64, 64), FREIHAND_K.repeat(3, 1, 1)).code
    fingers = code.rotation @ torch.tensor([-1.0, 0.0, 0.0])  # MANO's direction at rest
    torch.testing.assert_close(fingers, torch.tensor([0.0, -1.0, 0.0]).expand(3, 3), atol=0.2, rtol=0)


def test_heatmaps_begin_flat_and_expect_the_joints_in_the_crop():
    torch.manual_seed(0)
    network = encoder(points=True, grid=2, hidden=8).eval()
    images = torch.rand(2, 3, 64, 64)
    heatmaps = network(images, FREIHAND_K.repeat(2, 1, 1)).heatmaps
    assert heatmaps.shape == (2, 21, 16, 16)
    assert (expected_places(heatmaps) - 0.5).abs().max() < 0.15
    assert encoder().eval()(images, FREIHAND_K.repeat(2, 1, 1)).heatmaps is None


def test_the_code_sees_where_the_heatmaps_are_bright():
    """The last layers see the points: what E_loc asks of the hand also moves them."""
    network = encoder(points=True)
    images = torch.rand(2, 3, 64, 64)
    encoded = network(images, FREIHAND_K.repeat(2, 1, 1))
    encoded.code.translation.square().sum().backward()
    assert network.points.maps.weight.grad.abs().sum() > 0
