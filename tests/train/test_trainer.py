"""What a training sets out with: its learning rates, and its first weights."""

import pytest
import torch

from s2hand.train.mano import load_hand_model
from s2hand.train.processes import Processes
from s2hand.train.settings import EncoderSettings, HourglassSettings, StageSettings, TrainSettings
from s2hand.train.trainer import learning_rate, make_branches


def test_learning_rates_of_the_papers_schedule():
    paper = TrainSettings().stages.shape
    rates = [learning_rate(paper, epoch * 10, 10) for epoch in (0, 29, 30, 59, 60, 89)]
    assert rates == [1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4]
    joint = TrainSettings().stages.joint
    rates = [learning_rate(joint, epoch * 10, 10) for epoch in (0, 19, 20, 40, 59)]
    assert rates == pytest.approx([2.5e-4, 2.5e-4, 2.5e-4 / 3, 2.5e-4 / 9, 2.5e-4 / 9])


def test_learning_rates_of_the_cosine_schedule():
    cosine = StageSettings(epochs=2, learning_rate=1e-3, schedule="cosine", warmup_steps=3)
    rates = [learning_rate(cosine, step, 50) for step in range(100)]
    assert rates[0] == pytest.approx(0.25e-3)
    assert max(rates) == pytest.approx(1e-3, rel=0.01)
    assert rates[50] == pytest.approx(0.5e-3, rel=0.01)
    assert rates[-1] < 1e-6


def test_first_weights_depend_on_the_seed_only():
    hand = load_hand_model()
    encoder = EncoderSettings(pretrained="never")
    hourglass = HourglassSettings(stacks=2, features=16, depth=2, image_size=32)
    heads = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(noise)
        branches = make_branches(
            TrainSettings(seed=seed, encoder=encoder, hourglass=hourglass), hand, torch.device("cpu"), Processes()
        )
        heads.append(branches.reconstruction.encoder.head.weight.detach().clone())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
