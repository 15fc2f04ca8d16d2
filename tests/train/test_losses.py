"""Loss terms against values worked out by hand, and their silence about joints that were not found."""

import math

import pytest
import torch

from s2hand.datasets.skeleton import BONES
from s2hand.train import losses
from s2hand.train.integral import cross_entropy
from s2hand.train.mano import load_hand_model
from s2hand.train.settings import LossSettings


def straight_hands(batch=1):
    """Joints [B, 21, 2] on a line, 10 px apart, with bones that all have a length."""
    return (torch.arange(21.0)[:, None] * torch.tensor([10.0, 0.0])).repeat(batch, 1, 1)


def test_location_is_quadratic_up_to_five_pixels_and_linear_beyond():
    projected = straight_hands()
    detected = projected.clone()
    detected[0, 0] += torch.tensor([3.0, 0.0])
    detected[0, 1] += torch.tensor([0.0, -9.0])
    detected[0, 2] += torch.tensor([5.0, 5.0])
    value = losses.E_loc(detected, projected, torch.ones(1, 21))
    assert value.shape == (1, 21)
    expected = [9 / 10, 9 - 2.5, 2 * 2.5, 0.0]
    torch.testing.assert_close(value[0, :4], torch.tensor(expected))


def test_location_counts_by_confidence():
    projected = straight_hands()
    confidence = torch.linspace(0, 1, 21)[None]
    value = losses.E_loc(projected + 10, projected, confidence)
    torch.testing.assert_close(value, 15.0 * confidence)


def test_orientation_is_the_squared_distance_of_unit_vectors():
    projected = straight_hands()
    rotated = torch.stack([-projected[..., 1], projected[..., 0]], -1)
    ones = torch.ones(1, 21)
    for detected, expected in ((projected * 3, 0.0), (rotated, 2.0), (-projected, 4.0)):
        value = losses.E_ori(detected, projected, ones)
        torch.testing.assert_close(value, torch.full((1, 20), expected), atol=1e-4, rtol=1e-4)


def test_orientation_counts_by_the_product_of_both_confidences():
    confidence = torch.linspace(0.1, 1, 21)[None]
    value = losses.E_ori(-straight_hands(), straight_hands(), confidence)
    products = torch.tensor([[float(confidence[0, a] * confidence[0, b]) for a, b in BONES]])
    torch.testing.assert_close(value, 4 * products, atol=1e-4, rtol=1e-4)


def test_a_detected_bone_without_length_counts_nothing():
    detected = torch.zeros(1, 21, 2)
    assert losses.E_ori(detected, straight_hands(), torch.ones(1, 21)).abs().max() == 0


@pytest.mark.parametrize("name", ["E_loc", "E_ori", "E_2d"])
def test_a_joint_of_confidence_zero_leaves_no_trace(name):
    torch.manual_seed(0)
    term = getattr(losses, name)
    confidence = torch.rand(2, 21) + 0.1
    confidence[:, [0, 7]] = 0
    results = []
    for filling in (torch.nan, torch.inf, 0.0, 1e30):
        torch.manual_seed(1)
        detected = 100 * torch.rand(2, 21, 2)
        detected[:, [0, 7]] = filling
        projected = (100 * torch.rand(2, 21, 2)).requires_grad_()
        value = term(detected, projected, confidence)
        (gradient,) = torch.autograd.grad(value.sum(), projected)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()
        results.append((value.detach(), gradient))
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])
    assert (results[0][1][:, [0, 7]] == 0).all()


@pytest.mark.parametrize("name", ["E_loc", "E_ori"])
def test_gradients_of_the_image_terms(name):
    torch.manual_seed(0)
    detected = 100 * torch.rand(2, 21, 2, dtype=torch.float64)
    projected = (100 * torch.rand(2, 21, 2, dtype=torch.float64)).requires_grad_()
    confidence = torch.rand(2, 21, dtype=torch.float64)
    term = getattr(losses, name)
    assert torch.autograd.gradcheck(lambda p: term(detected, p, confidence), projected)


def test_collapsed_projections_have_finite_gradients():
    projected = torch.zeros(1, 21, 2, requires_grad=True)
    losses.E_ori(straight_hands(), projected, torch.ones(1, 21)).sum().backward()
    assert torch.isfinite(projected.grad).all()


GROUPS = {  # each function of an equation, and the terms that it adds up; E has those of E_3d and the others
    losses.E_geo: {"E_loc", "E_ori"},
    losses.E_photo: {"E_pixel", "E_SSIM"},
    losses.E_regu: {"E_beta", "E_C", "E_s", "E_J", "E_theta"},
    losses.E_3d: {"E_loc", "E_ori", "E_pixel", "E_SSIM", "E_beta", "E_C", "E_s", "E_J", "E_theta", "E_points"},
    losses.E: {name for name in LossSettings.model_fields if name.startswith("E_")},
}


def test_the_equations_add_up_what_they_name():
    """And none is forgotten: all that has a weight in the settings counts in E."""
    terms = {name: torch.full((3,), float(1 << place)) for place, name in enumerate(sorted(GROUPS[losses.E]))}
    weights = dict.fromkeys(terms, 2.0)
    for equation, names in GROUPS.items():
        assert equation(terms, weights).tolist() == [2.0 * sum(float(terms[name][0]) for name in names)] * 3
    del terms["E_ori"]
    assert losses.E_geo(terms, weights).tolist() == (2 * terms["E_loc"]).tolist()


def test_pixels_are_those_of_the_papers_input_size():
    torch.testing.assert_close(
        losses.to_reference_pixels(torch.tensor([56.0, 112.0]), 112), torch.tensor([112.0, 224.0])
    )


def test_joint_weights_are_the_authors():
    weights = losses.joint_weights(2.0, 1.5)
    assert weights[0] == 2
    assert weights[[4, 8, 12, 16, 20]].tolist() == [1.5] * 5
    assert weights.sum() == 2 + 5 * 1.5 + 15


def test_shape_is_the_length_of_beta_with_a_gradient_at_zero():
    shape = torch.zeros(2, 10)
    shape[1, :2] = torch.tensor([3.0, 4.0])
    shape.requires_grad_()
    value = losses.E_beta(shape)
    assert value.tolist() == [0, 5]
    value.sum().backward()
    assert torch.equal(shape.grad[0], torch.zeros(10))


def test_scale_is_in_centimetres_of_the_middle_fingers_first_bone():
    joints = torch.zeros(2, 21, 3)
    joints[0, 10, 2] = 0.0282
    joints[1, 10, 0] = 0.0382
    torch.testing.assert_close(losses.E_s(joints, 0.0282), torch.tensor([0.0, 1.0]))


def test_pose_prior_is_the_mean_square():
    assert losses.E_theta(torch.tensor([[3.0, 4.0, 0.0, 0.0]])).tolist() == [25 / 4]


def test_limits_are_kept_at_the_mean_pose_and_broken_by_a_finger_bent_back():
    hand = load_hand_model()
    rest = losses.E_J(torch.zeros(1, 45), hand)
    assert rest.shape == (1, 15, 3)
    bent = torch.zeros(1, 45)
    bent[0, :3] = -math.radians(60) * hand.joint_axes[0, 2]
    excess = losses.E_J(bent, hand)[0, 0]
    torch.testing.assert_close(excess, torch.tensor([0.0, 0.0, 2 * math.radians(50)]), atol=1e-4, rtol=0)


def disc(size=32, radius=8.0):
    """A silhouette [1, size, size] with a soft border."""
    grid = torch.arange(size) + 0.5 - size / 2
    return (radius + 0.5 - (grid[:, None] ** 2 + grid**2).sqrt()).clamp(0, 1)[None]


def before(image, silhouette, color):
    """A hand of one colour [3] drawn before an image."""
    return image * (1 - silhouette[:, None]) + silhouette[:, None] * color.view(1, 3, 1, 1)


def test_pixels_pay_their_distance_by_confidence_over_the_silhouette():
    image, silhouette = torch.zeros(1, 3, 32, 32), disc()
    rendered = before(image, silhouette, torch.tensor([0.3, 0.0, 0.4]))
    confidence = torch.full((1, 21), 0.5)
    value = losses.E_pixel(image, rendered, silhouette, confidence)
    assert value.shape == (1, 32, 32)
    assert value.sum() == pytest.approx(10.5 * 0.5, rel=1e-5)
    assert (value[silhouette == 0] == 0).all()
    assert losses.E_pixel(image, rendered, silhouette, torch.zeros(1, 21)).abs().max() == 0


def test_a_hand_that_is_as_the_image_shows_pays_nothing():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 32, 32)
    assert losses.E_pixel(image, image, disc(), torch.ones(1, 21)).abs().max() == 0
    assert losses.E_SSIM(image, image, disc()).abs().max() < 1e-5


def test_photometric_terms_are_finite_where_no_hand_is():
    image = torch.rand(1, 3, 32, 32)
    rendered, nothing = image.clone().requires_grad_(), torch.zeros(1, 32, 32, requires_grad=True)
    total = losses.E_pixel(image, rendered, nothing, torch.ones(1, 21)).sum()
    total = total + losses.E_SSIM(image, rendered, nothing).sum()
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(rendered.grad).all()
    assert torch.isfinite(nothing.grad).all()


def test_structure_is_compared_inside_the_silhouette_only():
    torch.manual_seed(0)
    image, silhouette = torch.rand(1, 3, 32, 32), disc()
    rendered = before(image, silhouette, torch.tensor([0.5, 0.5, 0.5]))
    other = torch.where(silhouette[:, None] > 0, image, torch.rand(1, 3, 32, 32))
    elsewhere = before(other, silhouette, torch.tensor([0.5, 0.5, 0.5]))
    ours, theirs = (losses.E_SSIM(*pair, silhouette).mean() for pair in ((image, rendered), (other, elsewhere)))
    torch.testing.assert_close(ours, theirs)
    assert ours > 0.1


def test_gradients_of_the_photometric_terms():
    torch.manual_seed(0)
    image, rendered = (torch.rand(1, 3, 13, 13, dtype=torch.float64) for _ in range(2))
    silhouette = torch.rand(1, 13, 13, dtype=torch.float64)
    inputs = (rendered.requires_grad_(), silhouette.requires_grad_())
    confidence = torch.ones(1, 21, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r, s: losses.E_pixel(image, r, s, confidence), inputs, fast_mode=True)
    assert torch.autograd.gradcheck(lambda r, s: losses.E_SSIM(image, r, s), inputs, fast_mode=True)


def test_colours_beyond_two_deviations_pay_their_distance_from_the_mean():
    colors = torch.full((1, 100, 3), 0.5)
    colors[0, :, 0] += torch.linspace(-0.01, 0.01, 100)
    colors[0, 7, 1] = 0.9
    colors.requires_grad_()
    value = losses.E_C(colors)
    assert value.shape == (1, 100, 3)
    assert (value > 0).sum() == 1
    assert value[0, 7, 1].item() == pytest.approx(0.9 - 0.504, abs=1e-5)
    value.sum().backward()
    assert (colors.grad != 0).sum() == 1


def test_one_colour_has_no_outlier():
    assert losses.E_C(torch.full((2, 778, 3), 0.4)).abs().max() == 0


def test_heatmaps_pay_by_confidence_and_nothing_for_a_joint_that_was_not_found():
    torch.manual_seed(0)
    heatmaps = torch.rand(1, 21, 8, 8, requires_grad=True)
    detected, confidence = 224 * torch.rand(1, 21, 2), torch.rand(1, 21)
    detected[0, 3], confidence[0, 3] = torch.nan, 0
    value = losses.E_points(detected, heatmaps, confidence)
    torch.testing.assert_close(value[0, 5], confidence[0, 5] * cross_entropy(heatmaps, detected / 224)[0, 5])
    value.sum().backward()
    assert torch.isfinite(heatmaps.grad).all()
    assert (heatmaps.grad[0, 3] == 0).all()


def test_consistency_pulls_both_branches_with_no_confidence():
    projected, pointed = straight_hands().requires_grad_(), (straight_hands() + 3.0).requires_grad_()
    value = losses.E_con(projected, pointed)
    torch.testing.assert_close(value, torch.full((1, 21), 2 * 9 / 10))
    value.sum().backward()
    torch.testing.assert_close(projected.grad, -pointed.grad)
    assert (projected.grad != 0).all()


def test_a_render_that_is_not_a_number_is_not_taken_for_a_perfect_one():
    image = torch.rand(1, 3, 4, 4)
    rendered = image.clone()
    rendered[0, 1, 2, 3] = float("nan")
    found = losses.E_pixel(image, rendered, torch.ones(1, 4, 4), torch.ones(1, 21))
    assert found[0, 2, 3].isnan()
    assert found.nan_to_num().sum() == 0
