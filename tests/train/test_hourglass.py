"""The 2D branch: joints of every stack, in pixels of the crop, by integral regression."""

import pytest
import torch

from s2hand.train.hourglass import HourglassBranch
from s2hand.train.settings import HourglassSettings

SMALL = HourglassSettings(stacks=3, features=16, depth=2, image_size=32)


def test_every_stack_gives_joints_inside_the_crop_whatever_its_size():
    torch.manual_seed(0)
    branch = HourglassBranch(SMALL).eval()
    for side in (32, 80):
        stacks = branch(torch.rand(2, 3, side, side))
        assert [tuple(stack.joints.shape) for stack in stacks] == [(2, 21, 2)] * 3
        assert [tuple(stack.heatmaps.shape) for stack in stacks] == [(2, 21, 8, 8)] * 3
        assert all((stack.joints > 0).all() and (stack.joints < side).all() for stack in stacks)


def test_the_papers_size_by_default():
    settings = HourglassSettings()
    assert (settings.stacks, settings.features, settings.image_size) == (2, 256, 256)
    branch = HourglassBranch(settings)
    assert 6e6 < sum(parameter.numel() for parameter in branch.parameters()) < 10e6
    features = branch.stem(torch.rand(1, 3, 64, 64))
    assert features.shape == (1, 256, 16, 16)


def test_each_stack_is_taught():
    torch.manual_seed(0)
    branch = HourglassBranch(SMALL).train()
    for number, stack in enumerate(branch(torch.rand(2, 3, 32, 32))):
        layer = branch.stacks[number].heatmaps
        (gradient,) = torch.autograd.grad(stack.joints.sum(), layer.weight, retain_graph=True)
        assert gradient.abs().max() > 0


def test_sizes_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match=r"image_size / 4 = 10 can't be halved 2 times"):
        HourglassSettings(depth=2, image_size=40)
