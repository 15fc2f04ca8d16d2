"""The finder's network: pictures to maps that say, eight pixels a cell, where hands are and how large.

It has no layer that needs one size: sides are any multiples of 16. Its first levels are those of the slim keypoint
network, from whose weights training may start. The levels, for a picture of 192 x 192:

    stem     fold 4, conv                      48 -> 64 channels, 48 x 48
    mid      fold 2, 1 x 1 conv; residual      128 channels,      24 x 24
    low      fold 2, 1 x 1 conv; residual      160 channels,      12 x 12
    context  residual                          160 channels,      12 x 12
    head     mid + context; conv, 1 x 1 conv   5 maps,            24 x 24

A cell sees about 150 pixels around: larger hands must be looked for in a smaller picture.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from s2hand.detect.blocks import Residual, conv, double, fold, fold_norms, stored_tensors

NETWORK_NAME = "slim-boxes"

STRIDE = 8
"""Pixels of the picture per cell of a map."""

_STEM, _MID, _LOW, _HEAD = 64, 128, 160, 64
_STEM_FOLD = 4
_USUAL_SIDE = 6.0  # cells: the size that fresh weights guess
_RARE = 0.02  # the score that fresh weights give


class BoxesNet(nn.Module):
    """Pictures to maps; see the module's text for the layers.

    forward(pictures [B, 3, H, W] in [-1, 1]) -> maps [B, 5, H / 8, W / 8]: the logit of a hand's centre, its distance
    from the cell's centre (x, y, cells), and the logarithms of the width and the height of the box of its joints
    (cells).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3 * _STEM_FOLD**2, _STEM, 3)
        self.mid = nn.Sequential(conv(4 * _STEM, _MID, 1), Residual(_MID))
        self.low = nn.Sequential(conv(4 * _MID, _LOW, 1), Residual(_LOW))
        self.context = Residual(_LOW)
        self.widen = nn.Conv2d(_LOW, _MID, 1)
        self.last = conv(_MID, _HEAD, 3)
        self.head = nn.Conv2d(_HEAD, 5, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        guess = torch.tensor([_RARE / (1 - _RARE), 1, 1, _USUAL_SIDE, _USUAL_SIDE]).log()
        self.head.bias = nn.Parameter(guess)

    def forward(self, pictures: Tensor) -> Tensor:  # [B, 3, H, W] -> [B, 5, H / 8, W / 8]
        """Return the maps."""
        mid = self.mid(fold(self.stem(fold(pictures, _STEM_FOLD)), 2))
        context = self.context(self.low(fold(mid, 2)))
        maps: Tensor = self.head(self.last(mid + double(self.widen(context))))
        return maps


def build_boxes_net(seed: int) -> BoxesNet:
    """Return a network with fresh weights that depend on the seed only; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BoxesNet()


def start_from_slim(network: BoxesNet, tensors: Mapping[str, Tensor]) -> None:
    """Set the levels that the slim keypoint network has too to its stored tensors."""
    shared = {name: tensors[name].float() for name in stored_tensors(network).keys() & tensors.keys()}
    network.load_state_dict(
        {name: value for name, value in shared.items() if not name.startswith("head.")}, strict=False
    )


def boxes_shapes() -> dict[str, tuple[int, ...]]:
    """Return name and shape of each tensor of a weight file."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in stored_tensors(BoxesNet()).items()}


def boxes_net_from_tensors(tensors: Mapping[str, Tensor]) -> BoxesNet:
    """Return the network with the stored tensors (any float type) as float32, normalisations folded, for inference."""
    network = build_boxes_net(0)
    network.load_state_dict({name: tensors[name].float() for name in boxes_shapes()}, strict=False)
    network.eval().requires_grad_(False)
    fold_norms(network)
    return network.to(memory_format=torch.channels_last)
