"""The gradients of a batch in parts: the mean of those of its parts, whatever computes them."""

import dataclasses
import os

import pytest
import torch
from torch import nn

from s2hand.train.augment import Batch, split_batch
from s2hand.train.branches import Branches, Stage
from s2hand.train.gradients import GradientEngine, NonFiniteLossError
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


def make_engine(hand, parts):
    torch.manual_seed(0)
    hourglass = HourglassSettings(stacks=2, features=16, depth=2, image_size=32)
    settings = TrainSettings(encoder=EncoderSettings(pretrained="never"), hourglass=hourglass)
    network = Branches(settings, hand).train()
    return GradientEngine(network, Objective(LossSettings(), hand, Stage.joint), parts, half=False), network


def test_a_batch_falls_into_equal_parts():
    batch = make_batch(7)
    parts = split_batch(batch, 3)
    assert [len(part.rows) for part in parts] == [3, 2, 2]
    for name, whole in vars(batch).items():
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), whole)
    assert len(split_batch(make_batch(2), 5)) == 2


def test_gradients_are_the_mean_over_the_samples_of_all_parts(hand):
    batch = make_batch(5)
    engine, network = make_engine(hand, 2)
    found = engine.compute(batch)
    expected = [torch.zeros_like(parameter) for parameter in network.parameters()]
    for part in split_batch(batch, 2):
        single, _ = make_engine(hand, 1)
        for total, gradient in zip(expected, single.compute(part).gradients, strict=True):
            total += gradient * (len(part.rows) / 5)
    for ours, theirs in zip(found.gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    assert set(found.values) == {*_JOINT_TERMS, "loss"}


def test_the_number_of_threads_changes_nothing(hand, monkeypatch):
    batch = make_batch(6)
    several, network = make_engine(hand, 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    alone, other = make_engine(hand, 3)
    ours, theirs = several.compute(batch), alone.compute(batch)
    assert ours.values == theirs.values
    assert all(torch.equal(a, b) for a, b in zip(ours.gradients, theirs.gradients, strict=True))
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, other.get_buffer(name)), name


def test_batch_statistics_follow_the_first_part(hand):
    batch = make_batch(4)
    engine, network = make_engine(hand, 2)
    engine.compute(batch)
    single, other = make_engine(hand, 1)
    single.compute(split_batch(batch, 2)[0])
    norm, twin = (next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d)) for net in (network, other))
    assert norm.num_batches_tracked == 1
    torch.testing.assert_close(norm.running_mean, twin.running_mean)


def test_what_is_not_finite_is_named(hand):
    batch = make_batch(6)
    K = batch.K.clone()
    K[4] = float("nan")
    engine, _ = make_engine(hand, 2)
    with pytest.raises(NonFiniteLossError, match="E_loc") as caught:
        engine.compute(dataclasses.replace(batch, K=K))
    assert caught.value.rows.tolist() == [104]
