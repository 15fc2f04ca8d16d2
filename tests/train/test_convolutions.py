"""The quick convolutions in the place of a network's own: which are replaced, and that 1 x 1 ones compute the same."""

import pytest
import timm
import torch
from torch import nn

from s2hand.train.convolutions import PointwiseConv2d, quicken
from s2hand.train.depthwise import DepthwiseConv2d


def gradients(network, x, slope):
    x = x.clone().requires_grad_()
    y = network(x)
    return y, *torch.autograd.grad(y, [x, *network.parameters()], slope.to(y.dtype))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_pointwise_values_and_gradients_are_those_of_conv2d(bias, layout):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(9, 14, 1, bias=bias))
    quick = nn.Sequential(plain[0])
    assert quicken(quick) == {"depthwise": 0, "pointwise": 1}
    x = torch.randn(5, 9, 6, 7).contiguous(memory_format=layout)
    slope = torch.randn_like(plain(x))
    for ours, theirs in zip(gradients(quick, x, slope), gradients(plain, x, slope), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_pointwise_keeps_channels_last_and_autocast():
    quick = nn.Sequential(nn.Conv2d(8, 4, 1))
    quicken(quick)
    x = torch.randn(2, 8, 5, 6).contiguous(memory_format=torch.channels_last)
    assert quick(x).is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert quick(x).dtype == torch.bfloat16


def test_without_gradients_it_is_the_plain_module():
    plain = nn.Sequential(nn.Conv2d(4, 6, 1))
    quick = nn.Sequential(plain[0])
    quicken(quick)
    with torch.no_grad():
        x = torch.randn(2, 4, 9, 9)
        assert torch.equal(quick(x), plain(x))


def test_efficientnet_keeps_its_parameters():
    network = timm.create_model("efficientnet_b0", pretrained=False, num_classes=0)
    before = {name: id(parameter) for name, parameter in network.named_parameters()}
    counts = quicken(network)
    assert counts["depthwise"] == 16
    assert {name: id(parameter) for name, parameter in network.named_parameters()} == before
    for kind, name in ((DepthwiseConv2d, "depthwise"), (PointwiseConv2d, "pointwise")):
        assert sum(isinstance(module, kind) for module in network.modules()) == counts[name] > 0
    assert quicken(network) == {"depthwise": 0, "pointwise": 0}


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False),
        nn.Conv2d(4, 4, 3, padding=0, groups=4, bias=False),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, bias=False),
        nn.Conv2d(4, 4, (3, 5), padding=(1, 2), groups=4, bias=False),
        nn.Conv2d(4, 4, 1, stride=2),
        nn.Conv2d(4, 4, 1, padding=1),
        nn.Conv2d(4, 4, 1, groups=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False, padding_mode="reflect"),
    ],
)
def test_other_convolutions_are_left_alone(module):
    assert sum(quicken(nn.Sequential(module)).values()) == 0
