"""Convolutions that train quickly on CPU, in the place of a network's own.

Depthwise ones become `DepthwiseConv2d`; 1 x 1 ones become `PointwiseConv2d`, a matrix product over the pixels,
which is up to twice as fast as the convolution on the small maps deep in a network. Parameters and their names
stay as they are, and so do the values, up to the order of additions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2hand.train.depthwise import DepthwiseConv2d


class PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 `nn.Conv2d` that is a matrix product where it trains on CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out_channels, H, W], in autocast's dtype where that is on."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


def quicken(network: nn.Module) -> dict[str, int]:
    """Replace the depthwise and the 1 x 1 convolutions inside `network` in place; returns how many of each."""
    counts = {"depthwise": 0, "pointwise": 0}
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            kind = _kind(child)
            if kind is None:
                continue
            setattr(parent, name, _twin(child, DepthwiseConv2d if kind == "depthwise" else PointwiseConv2d))
            counts[kind] += 1
    return counts


def _kind(module: nn.Module) -> str | None:
    """Which quick convolution computes what `module` does, if any."""
    if type(module) is not nn.Conv2d or module.dilation != (1, 1) or module.padding_mode != "zeros":
        return None
    size, stride = module.kernel_size[0], module.stride[0]
    if module.kernel_size != (size, size) or module.stride != (stride, stride):
        return None
    if size == 1 and stride == 1 and module.groups == 1 and module.padding == (0, 0):
        return "pointwise"
    depthwise = module.groups == module.in_channels == module.out_channels > 1
    if depthwise and module.bias is None and module.padding == (size // 2, size // 2):
        return "depthwise"
    return None


def _twin(module: nn.Module, quick: type[nn.Conv2d]) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    twin = quick(
        module.in_channels,
        module.out_channels,
        module.kernel_size[0],
        module.stride[0],
        module.kernel_size[0] // 2,
        groups=module.groups,
        bias=module.bias is not None,
        device="meta",
    )
    twin.weight, twin.bias = module.weight, module.bias
    return twin
