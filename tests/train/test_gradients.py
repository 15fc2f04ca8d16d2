"""The gradients of a step: those of the mean loss, or an error that names what is not finite."""

import dataclasses

import pytest
import torch

from s2hand.train.augment import Batch
from s2hand.train.branches import Branches, Stage
from s2hand.train.gradients import NonFiniteLossError, step_gradients
from s2hand.train.integral import cross_entropy
from s2hand.train.mano import load_hand_model
from s2hand.train.objective import Objective
from s2hand.train.settings import EncoderSettings, HourglassSettings, LossSettings, TrainSettings

_JOINT_TERMS = ("E_loc", "E_ori", "E_pixel", "E_SSIM", "E_beta", "E_C", "E_s", "E_J", "E_2d", "E_con")


@pytest.fixture(scope="module")
def hand():
    return load_hand_model()


def make_batch(count):
    generator = torch.Generator().manual_seed(0)
    K = torch.tensor([[60.0, 0.0, 32.0], [0.0, 60.0, 32.0], [0.0, 0.0, 1.0]]).repeat(count, 1, 1)
    places = 64 * torch.rand(count, 21, 2, generator=generator)
    keypoints = torch.cat([places, torch.rand(count, 21, 1, generator=generator)], dim=-1)
    images = torch.rand(count, 3, 64, 64, generator=generator)
    return Batch(images, images, K, keypoints, torch.arange(100, 100 + count))


def make(hand):
    torch.manual_seed(0)
    hourglass = HourglassSettings(stacks=2, features=16, depth=2, image_size=32)
    settings = TrainSettings(encoder=EncoderSettings(pretrained="never"), hourglass=hourglass)
    return Branches(settings, hand).eval(), Objective(LossSettings(), hand, Stage.joint)


def test_gradients_are_those_of_the_mean_over_the_samples(hand):
    batch = make_batch(4)
    branches, objective = make(hand)
    found = step_gradients(branches, objective, batch, half=False)
    assert set(found.values) == {*_JOINT_TERMS, "loss"}
    expected = [torch.zeros_like(parameter) for parameter in branches.parameters()]
    for row in range(4):
        single = Batch(**{name: tensor[row : row + 1] for name, tensor in vars(batch).items()})
        alone = step_gradients(branches, objective, single, half=False)
        for total, gradient in zip(expected, alone.gradients, strict=True):
            total += gradient / 4
    for ours, theirs in zip(found.gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_the_2d_branchs_maps_agree_with_the_detections_in_every_stack(hand):
    batch = make_batch(2)
    branches, _ = make(hand)
    loss = LossSettings(E_maps=0.5)
    found = step_gradients(branches, Objective(loss, hand, Stage.joint), batch, half=False)
    with torch.no_grad():
        stacks = branches(batch.images, batch.K).stacks
        places = batch.keypoints[..., :2] / 64
        each = [(batch.keypoints[..., 2] * cross_entropy(stack.heatmaps, places)).mean() for stack in stacks]
    assert found.values["E_maps"] == pytest.approx(float(sum(each)) / 2, rel=1e-5)
    without = step_gradients(branches, Objective(LossSettings(), hand, Stage.joint), batch, half=False)
    assert found.values["loss"] - without.values["loss"] == pytest.approx(0.5 * found.values["E_maps"], rel=1e-3)
    with pytest.raises(ValueError, match="E_maps needs E_2d"):
        LossSettings(E_2d=0.0, E_con=0.0, E_maps=1.0)


def test_what_is_not_finite_is_named(hand):
    batch = make_batch(6)
    K = batch.K.clone()
    K[4] = float("nan")
    branches, objective = make(hand)
    with pytest.raises(NonFiniteLossError, match="E_loc") as caught:
        step_gradients(branches, objective, dataclasses.replace(batch, K=K), half=False)
    assert caught.value.rows.tolist() == [104]


def test_where_only_the_sum_is_not_finite_all_samples_are_named(hand, monkeypatch):
    branches, objective = make(hand)
    monkeypatch.setattr(objective, "total", lambda terms: torch.tensor(float("inf")))
    with pytest.raises(NonFiniteLossError, match="loss is not finite") as caught:
        step_gradients(branches, objective, make_batch(3), half=False)
    assert caught.value.rows.tolist() == [100, 101, 102]
