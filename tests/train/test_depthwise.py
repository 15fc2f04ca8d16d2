"""The quick depthwise convolution against torch's own, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from s2hand.train.convolutions import quicken


def twins(channels, size, stride):
    """A network of one depthwise convolution, and the same with the quick one."""
    plain = nn.Sequential(nn.Conv2d(channels, channels, size, stride, size // 2, groups=channels, bias=False))
    quick = nn.Sequential(plain[0])
    assert quicken(quick) == {"depthwise": 1, "pointwise": 0}
    return plain, quick


def gradients(network, x, slope):
    x = x.clone().requires_grad_()
    y = network(x)
    return y, *torch.autograd.grad(y, [x, *network.parameters()], slope.to(y.dtype))


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(9, 7, 13, 11), (3, 33, 1, 2), (1, 2, 6, 6)])
def test_values_and_gradients_are_those_of_conv2d(size, stride, shape):
    torch.manual_seed(0)
    plain, quick = twins(shape[1], size, stride)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    slope = torch.randn_like(plain(x))
    for ours, theirs in zip(gradients(quick, x, slope), gradients(plain, x, slope), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 1), (5, 2)])
def test_autocast_agrees_to_the_precision_of_bfloat16(size, stride):
    torch.manual_seed(0)
    _, quick = twins(16, size, stride)
    x = torch.randn(4, 16, 12, 12).contiguous(memory_format=torch.channels_last)
    slope = torch.randn_like(quick(x))
    exact = gradients(quick, x, slope)
    with torch.autocast("cpu", torch.bfloat16):
        rough = gradients(quick, x, slope)
    assert rough[0].dtype == torch.bfloat16
    assert rough[2].dtype == torch.float32
    for ours, theirs in zip(rough, exact, strict=True):
        assert (ours.float() - theirs).norm() < 0.01 * theirs.norm()


def test_without_gradients_it_is_the_plain_module():
    _, quick = twins(4, 5, 2)
    x = torch.randn(2, 4, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(quick(x), F.conv2d(x, quick[0].weight, None, 2, 2, 1, 4))


def test_the_weights_gradient_is_right_where_the_input_needs_none():
    plain, quick = twins(4, 5, 2)
    x = torch.randn(2, 4, 9, 9)
    ours, theirs = (torch.autograd.grad(network(x).square().sum(), network[0].weight)[0] for network in (quick, plain))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
