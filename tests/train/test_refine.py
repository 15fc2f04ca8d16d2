"""Refinement: nearer to the keypoints and the truth, hand by hand, and never worse than it began."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from s2hand.train import losses
from s2hand.train.encoder import Encoded, GeometryCode
from s2hand.train.mano import load_hand_model
from s2hand.train.metrics import score_hands, summarize
from s2hand.train.model import HandNetwork, render_hands
from s2hand.train.refine import refine
from s2hand.train.refine_settings import RefineSettings, RefineWeights
from s2hand.train.refine_terms import Problem, no_changes
from s2hand.train.rotations import axis_angle_to_matrix
from s2hand.train.settings import EncoderSettings
from s2hand.train.texture import FIRST_LIGHT, TextureCode

SIZE, COUNT = 48, 4
K = torch.tensor([[[100.0, 0, 24], [0, 98.0, 23], [0, 0, 1]]]).expand(COUNT, 3, 3)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return HandNetwork(EncoderSettings(pretrained="never"), load_hand_model())


def draw(random, *size):
    return torch.randn(*size, generator=random)


@pytest.fixture(scope="module")
def true_hands(network):
    """Hands before the camera, of an even skin."""
    random = torch.Generator().manual_seed(0)
    rotation = axis_angle_to_matrix(0.4 * draw(random, COUNT, 3))
    middle = torch.tensor([0.0, 0.0, 0.45]) + torch.tensor([-0.02, 0.0, 0.0])
    pose, shape = 0.5 * draw(random, COUNT, 30), 0.3 * draw(random, COUNT, 10)
    code = GeometryCode(pose, shape, torch.ones(COUNT, 1), rotation, middle.expand(COUNT, 3))
    skin = TextureCode(torch.full((COUNT, 778, 3), 0.6), torch.tensor(FIRST_LIGHT).expand(COUNT, 11))
    return network.decode(Encoded(code, skin, None), K)


@pytest.fixture(scope="module")
def answer(network, true_hands):
    """What a network might say of them: turned, moved, bent otherwise, and of another colour."""
    random = torch.Generator().manual_seed(1)
    code = true_hands.code
    code = replace(
        code,
        pose=code.pose + 0.3 * draw(random, COUNT, 30),
        rotation=axis_angle_to_matrix(0.2 * draw(random, COUNT, 3)) @ code.rotation,
        translation=code.translation + 0.02 * draw(random, COUNT, 3),
    )
    skin = TextureCode(torch.full((COUNT, 778, 3), 0.4), true_hands.texture.lights)
    return network.decode(Encoded(code, skin, None), K)


@pytest.fixture(scope="module")
def images(network, true_hands):
    return render_hands(network.hand, true_hands, K, torch.full((1, 3, SIZE, SIZE), 0.2)).rgb.detach()


@pytest.fixture(scope="module")
def keypoints(true_hands):
    random = torch.Generator().manual_seed(2)
    noisy = true_hands.joints_px + 0.3 * draw(random, COUNT, 21, 2)
    return torch.cat([noisy, 0.5 + 0.5 * torch.rand(COUNT, 21, 1, generator=random)], dim=-1).detach()


GEOMETRY = RefineSettings(place_steps=10, pose_steps=30)
PIXELS = RefineSettings(place_steps=5, pose_steps=10, pixels=True, pixel_steps=15)


def everything(hands):
    return [*vars(hands.code).values(), *vars(hands.texture).values(), hands.joints_cam, hands.vertices_cam]


def scores(hands, true_hands):
    return summarize(score_hands(hands.joints_cam.numpy(), true_hands.joints_cam.numpy()))


def distance_px(hands, true_hands):
    return (hands.joints_px - true_hands.joints_px).norm(dim=-1).mean(-1)


def test_a_displaced_hand_comes_nearer_to_the_truth(network, answer, images, keypoints, true_hands):
    refined = refine(network, answer, images, K, keypoints, GEOMETRY)
    assert (distance_px(refined, true_hands) < 0.3 * distance_px(answer, true_hands)).all()
    before, after = scores(answer, true_hands), scores(refined, true_hands)
    assert after["pa_mpjpe_cm"] < 0.8 * before["pa_mpjpe_cm"]
    assert after["root_mpjpe_cm"] < before["root_mpjpe_cm"]
    torch.testing.assert_close(refined.code.scale, answer.code.scale)


def test_pixels_bring_colours_nearer_to_the_photograph(network, answer, images, keypoints):
    refined = refine(network, answer, images, K, keypoints, PIXELS)
    plain = refine(network, answer, images, K, keypoints, PIXELS.model_copy(update={"pixels": False}))
    torch.testing.assert_close(refined.joints_cam, plain.joints_cam)

    def difference(hands):
        return (render_hands(network.hand, hands, K, images).rgb - images).abs().mean((1, 2, 3))

    assert (difference(refined) < 0.5 * difference(plain)).all()
    assert ((refined.texture.colors > 0) & (refined.texture.colors < 1)).all()


@pytest.mark.parametrize("steps", [(0, 0), (1, 0), (3, 2), (10, 30)])
def test_no_hand_gets_worse(network, answer, images, keypoints, steps):
    """However long the steps: here the objective is E_loc alone, which anybody can compute."""
    others = dict.fromkeys(set(RefineWeights.model_fields) - {"E_loc"}, 0.0)
    wild = RefineSettings(
        place_steps=steps[0], pose_steps=steps[1], place_rate=1.0, pose_rate=3.0, weights=RefineWeights(**others)
    )
    refined = refine(network, answer, images, K, keypoints, wild)

    def objective(hands):
        seen, projected = (xy * (224 / SIZE) for xy in (keypoints[..., :2], hands.joints_px))
        return losses.E_loc(seen, projected, keypoints[..., 2]).mean(-1)

    assert (objective(refined) <= objective(answer) + 1e-4).all()


def test_pictures_count_where_pixels_do(network, true_hands, images, keypoints):
    """Keypoints beside the hand would pull it from the pixels that it fits."""
    aside = keypoints + torch.tensor([8.0, 0, 0])
    settings = PIXELS.model_copy(update={"weights": RefineWeights(E_pixel=50.0)})
    refined = refine(network, true_hands, images, K, aside, settings)
    torch.testing.assert_close(refined.joints_px, true_hands.joints_px, atol=1e-3, rtol=0)


@pytest.mark.parametrize("settings", [GEOMETRY, PIXELS], ids=["geometry", "pixels"])
def test_a_hand_does_not_depend_on_its_batch(network, answer, images, keypoints, settings):
    together = refine(network, answer, images, K, keypoints, settings)
    code, skin = answer.code, answer.texture
    alone = replace(
        answer,
        code=GeometryCode(**{name: value[1:2] for name, value in vars(code).items()}),
        texture=TextureCode(**{name: value[1:2] for name, value in vars(skin).items()}),
        **{name: getattr(answer, name)[1:2] for name in ("joints_cam", "vertices_cam", "joints_px")},
    )
    refined = refine(network, alone, images[1:2], K[1:2], keypoints[1:2], settings)
    torch.testing.assert_close(refined.joints_cam, together.joints_cam[1:2], atol=1e-4, rtol=0)
    torch.testing.assert_close(refined.texture.colors, together.texture.colors[1:2], atol=1e-3, rtol=0)


def test_the_same_again_under_inference_mode(network, answer, images, keypoints):
    with torch.inference_mode():
        copied = replace(answer, joints_cam=answer.joints_cam * 1)
        first = refine(network, copied, images * 1, K * 1, keypoints * 1, PIXELS)
    second = refine(network, answer, images, K, keypoints, PIXELS)
    for one, other in zip(everything(first), everything(second), strict=True):
        assert torch.equal(one, other)
        assert not one.requires_grad


@pytest.mark.parametrize("settings", [GEOMETRY, PIXELS], ids=["geometry", "pixels"])
def test_hands_that_were_not_detected_stay_and_broken_ones_hurt_no_other(network, answer, images, keypoints, settings):
    missing = torch.cat([torch.full((21, 2), torch.nan), torch.zeros(21, 1)], dim=-1)
    one_joint = missing.clone()
    one_joint[9] = torch.tensor([30.0, 20.0, 0.9])
    huge = keypoints[2].clone()
    huge[:, 0] = 3e38
    mixed = torch.stack([missing, one_joint, huge, keypoints[3]])
    refined = refine(network, answer, images, K, mixed, settings)
    for new, old in zip(everything(refined), everything(answer), strict=True):
        assert torch.equal(new[0], old[0])
        assert new.isfinite().all()
    assert (refined.joints_px[1, 9] - one_joint[9, :2]).norm() < (answer.joints_px[1, 9] - one_joint[9, :2]).norm()
    torch.testing.assert_close(refined.joints_cam[2], answer.joints_cam[2])
    whole = refine(network, answer, images, K, keypoints, settings)
    torch.testing.assert_close(refined.joints_cam[3], whole.joints_cam[3], atol=1e-4, rtol=0)


def test_gradients_are_finite_where_nothing_has_changed_yet(network, answer, images, keypoints):
    detected = keypoints[..., :2].clone()
    detected[0, :3] = torch.nan
    confidence = keypoints[..., 2].clone()
    confidence[0, :3] = 0
    problem = Problem(network, answer, images, K, detected, confidence, RefineSettings(pixels=True))
    changes = {name: tensor.requires_grad_() for name, tensor in no_changes(answer).items()}
    problem.picture(changes).sum().backward()
    for name, tensor in changes.items():
        assert tensor.grad.isfinite().all(), name
        assert tensor.grad.abs().sum() > 0, name


def test_settings_refuse_what_nobody_reads():
    with pytest.raises(ValidationError, match="steps"):
        RefineSettings(steps=3)
    with pytest.raises(ValidationError, match="E_s"):
        RefineWeights(E_s=1.0)
    with pytest.raises(ValidationError, match="pose_steps"):
        RefineSettings(pose_steps=-1)


def test_wrong_sizes_are_named(network, answer, images, keypoints):
    with pytest.raises(ValueError, match=r"keypoints: expected \[4, 21, 3\] for 4 hands, found \[3, 21, 3\]"):
        refine(network, answer, images, K, keypoints[:3], GEOMETRY)
