import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from s2hand.datasets.skeleton import BONE_LENGTHS, BONES
from s2hand.detect.blocks import fold, stored_tensors, unfold
from s2hand.detect.fit.loss import expected_places, heatmap_losses, target_heatmaps
from s2hand.detect.slim import build_slim, slim_from_tensors, slim_shapes
from s2hand.detect.slim_decode import (
    SLACK,
    STRETCH,
    Calibration,
    _hand_scale,
    choose_places,
    decode,
)
from s2hand.detect.slim_estimator import SlimEstimator
from s2hand.detect.weights import Weights

CPU = torch.device("cpu")
EVEN = Calibration((0.0, 1.0), (0.0, 1.0))


def weights_of(network, tmp_path, **metadata: str) -> Weights:
    tensors = {name: tensor.half() for name, tensor in stored_tensors(network).items()}
    return Weights(tmp_path / "w.safetensors", "slim", "0" * 64, tensors, metadata)


def logits_at(places: torch.Tensor, sigma: float = 1.0) -> torch.Tensor:
    return torch.log(target_heatmaps(places, 32, sigma) + 1e-12).view(*places.shape[:2], 32, 32)


def test_crops_become_heatmaps():
    network = build_slim(0).eval()
    assert network(torch.zeros(2, 3, 128, 128)).shape == (2, 21, 32, 32)
    assert sum(parameter.numel() for parameter in network.parameters()) < 2.4e6


def test_fresh_weights_depend_on_the_seed_only():
    state = torch.random.get_rng_state()
    one, same, other = (build_slim(seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unfold_undoesfold():
    x = torch.randn(2, 3, 8, 12)
    assert fold(x, 2).shape == (2, 12, 4, 6)
    assert torch.equal(unfold(fold(x, 2), 2), x)


def test_the_network_for_inference_computes_the_same():
    network = build_slim(0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low = 0.5 if name.endswith("var") else -0.1
                tensor += torch.rand(tensor.shape, generator=generator) * 0.2 + (low if low > 0 else -0.1)
    crops = torch.randn(2, 3, 128, 128, generator=generator)
    expected = network.eval()(crops).detach()
    found = slim_from_tensors(stored_tensors(network))(crops)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_decode_finds_places_between_cells():
    generator = torch.Generator().manual_seed(0)
    places = hand_places() + 0.03 * torch.rand((4, 1, 2), generator=generator)
    found, belief = decode(logits_at(places))
    assert (found - places).abs().max() < 0.01
    assert belief.min() > 0.9


def test_decode_chooses_the_stronger_of_two_places():
    weak, strong = torch.full((1, 21, 2), 0.4), torch.full((1, 21, 2), 0.6)
    logits = torch.logaddexp(logits_at(weak) + np.log(0.3), logits_at(strong) + np.log(0.7))
    found, belief = decode(logits)
    assert (found - strong).abs().max() < 0.01
    assert (belief - 0.7).abs().max() < 0.05


def hand_places() -> torch.Tensor:
    """[1, 21, 2]: five straight fingers, each bone at its average length, in a hand that fills 0.7 of the crop."""
    places = torch.zeros(1, 21, 2)
    places[0, 0] = torch.tensor([0.5, 0.85])
    for parent, joint in BONES:
        angle = torch.tensor([-0.8, -0.3, 0.0, 0.2, 0.4][(joint - 1) // 4])
        step = torch.stack([torch.sin(angle), -torch.cos(angle)]) * 0.32 * BONE_LENGTHS[joint]
        places[0, joint] = places[0, parent] + step
    return places


def test_decode_keeps_fingers_together():
    """The tip of the index finger is more likely at the little finger's; the rest of its finger says otherwise."""
    places = hand_places()
    elsewhere = places.clone()
    elsewhere[0, 8] = places[0, 20]
    logits = torch.logaddexp(logits_at(places) + np.log(0.4), logits_at(elsewhere) + np.log(0.6))
    found, _ = decode(logits)
    assert (found - places).abs().max() < 0.02


def test_a_chosen_hand_is_the_best_of_all():
    generator = torch.Generator().manual_seed(4)
    places, beliefs = torch.rand(3, 21, 2, 2, generator=generator), torch.rand(3, 21, 2, generator=generator)
    scale = _hand_scale(places)

    def score(chosen: torch.Tensor) -> torch.Tensor:
        taken = places.gather(2, chosen[..., None, None].expand(-1, -1, 1, 2))[:, :, 0]
        total = torch.log(beliefs.gather(2, chosen[..., None])[..., 0] + 1e-4).sum(1)
        for parent, joint in BONES:
            longest = scale[:, 0, 0] * SLACK * BONE_LENGTHS[joint]
            total -= STRETCH * ((taken[:, parent] - taken[:, joint]).norm(dim=-1) / longest - 1).clamp(min=0) ** 2
        return total

    best = score(choose_places(places, beliefs))
    for _ in range(300):
        assert (score(torch.randint(2, (3, 21), generator=generator)) <= best + 1e-5).all()


def test_the_loss_is_least_where_the_truth_is():
    places = torch.rand(2, 21, 2, generator=torch.Generator().manual_seed(1)) * 0.6 + 0.2
    right, wrong = (heatmap_losses(logits_at(p), places, 1.0) for p in (places, places + 0.1))
    assert (right[0] < wrong[0]).all()
    assert (right[1] < wrong[1]).all()
    assert (right[1] < 0.01).all()


def test_joints_outside_or_unknown_do_not_count():
    places = torch.tensor([[[3.0, 0.5], [float("nan"), float("nan")], [0.5, 0.5]]])
    logits = torch.zeros(1, 3, 32, 32, requires_grad=True)
    cross_entropy, distance = heatmap_losses(logits, places, 1.0)
    (cross_entropy + distance).sum().backward()
    assert cross_entropy[0, :2].tolist() == distance[0, :2].tolist() == [0, 0]
    assert logits.grad is not None
    assert (logits.grad[0, :2] == 0).all()
    assert logits.grad[0, 2].abs().max() > 0


def test_expected_places_of_a_single_cell():
    belief = torch.zeros(1, 1, 32 * 32)
    belief[0, 0, 5 * 32 + 9] = 1
    assert expected_places(belief, 32)[0, 0].tolist() == [9.5 / 32, 5.5 / 32]


@pytest.mark.parametrize(
    ("belief", "confidence"),
    [((0.0, 1.0), (0.5,)), ((0.0, 1.0), (0.6, 0.5)), ((0.0, 1.2), (0.0, 1.0)), ((0.5,), (0.5,))],
)
def test_a_calibration_must_rise_within_bounds(belief, confidence):
    with pytest.raises(ValueError, match="Calibration"):
        Calibration(belief, confidence)


def test_weights_without_a_calibration_are_refused(tmp_path):
    with pytest.raises(ValueError, match="calibration"):
        SlimEstimator.from_weights(weights_of(build_slim(0), tmp_path), CPU)


def test_weights_of_another_shape_are_refused(tmp_path):
    weights = weights_of(build_slim(0), tmp_path, calibration=json.dumps(asdict(EVEN)))
    tensors = {**weights.tensors, "head.weight": torch.zeros(3, 3)}
    with pytest.raises(ValueError, match=r"head\.weight"):
        SlimEstimator.from_weights(Weights(weights.path, "slim", weights.sha256, tensors, weights.metadata), CPU)
    assert slim_shapes().keys() == weights.tensors.keys()


def test_keypoints_are_in_the_pixels_of_images_of_any_size(tmp_path):
    """A network that always points at the middle: the middle of each image is found, whatever its size."""
    network = build_slim(0)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
    weights = weights_of(network, tmp_path, calibration=json.dumps(asdict(EVEN)))
    estimator = SlimEstimator.from_weights(weights, CPU)
    estimator._network = lambda crops: logits_at(torch.full((len(crops), 21, 2), 0.5))
    for (height, width), found in zip(
        ((100, 100), (64, 200), (301, 77)),
        estimator.estimate([np.zeros((h, w, 3), np.uint8) for h, w in ((100, 100), (64, 200), (301, 77))]),
        strict=True,
    ):
        np.testing.assert_allclose(found.xy, np.tile([width / 2, height / 2], (21, 1)), atol=0.02 * max(height, width))
        assert (found.confidence > 0.9).all()
    assert estimator.estimate([]) == []
