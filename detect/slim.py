"""The slim network: a crop of 128 x 128 pixels to 21 heatmaps of 32 x 32, small enough to train on two CPU cores.

Most of its arithmetic is 3 x 3 convolutions of 128 channels at an eighth of the crop's side, the shape that CPUs with
bf16 matrix units run fastest. Going down, squares of pixels are folded into channels: strided convolutions are slow
to train on such CPUs. The levels:

    stem     fold 4, conv                      48 -> 64 channels, 32 x 32
    mid      fold 2, 1 x 1 conv; residual      128 channels,      16 x 16
    low      fold 2, 1 x 1 conv; residual      160 channels,      8 x 8
    whole    fold 2, 1 x 1 conv; residual      160 channels,      4 x 4: which finger is which needs the whole hand
    context  low + whole; residual             160 channels,      8 x 8
    merge    mid + context; residual           128 channels,      16 x 16
    head     1 x 1 conv, unfold 2              21 heatmaps,       32 x 32
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.detect.blocks import Residual, conv, double, fold, fold_norms, stored_tensors, unfold

INPUT_SIZE = 128
"""Side of the square crop that the network sees, pixels."""

NETWORK_NAME = "slim"

_STEM, _MID, _LOW = 64, 128, 160
_STEM_FOLD = 4  # pixels of the crop per cell of the stem, along one side


class SlimNet(nn.Module):
    """Crops to heatmaps; see the module's text for the layers.

    forward(crops [B, 3, 128, 128] in [-1, 1]) -> logits [B, 21, 32, 32]; a joint's softmax over its 1024 cells is
    the network's belief of where the joint is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3 * _STEM_FOLD**2, _STEM, 3)
        self.mid = nn.Sequential(conv(4 * _STEM, _MID, 1), Residual(_MID))
        self.low = nn.Sequential(conv(4 * _MID, _LOW, 1), Residual(_LOW))
        self.whole = nn.Sequential(conv(4 * _LOW, _LOW, 1), Residual(_LOW))
        self.context = Residual(_LOW)
        self.widen = nn.Conv2d(_LOW, _MID, 1)
        self.merge = Residual(_MID)
        self.head = nn.Conv2d(_MID, 4 * JOINT_COUNT, 1)

    def forward(self, crops: Tensor) -> Tensor:  # [B, 3, 128, 128] -> [B, 21, 32, 32]
        """Return the logits of the heatmaps."""
        mid = self.mid(fold(self.stem(fold(crops, _STEM_FOLD)), 2))
        low = self.low(fold(mid, 2))
        context = self.context(low + double(self.whole(fold(low, 2))))
        merged = self.merge(mid + double(self.widen(context)))
        return unfold(self.head(merged), 2)


def build_slim(seed: int) -> SlimNet:
    """Return a network with fresh weights that depend on the seed only; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SlimNet()


def slim_shapes() -> dict[str, tuple[int, ...]]:
    """Return name and shape of each tensor of a slim weight file."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in stored_tensors(SlimNet()).items()}


def load_stored(network: SlimNet, tensors: Mapping[str, Tensor]) -> None:
    """Set a network to the stored tensors, of any float type; they must have the shapes of `slim_shapes`."""
    network.load_state_dict({name: tensors[name].float() for name in slim_shapes()}, strict=False)


def slim_from_tensors(tensors: Mapping[str, Tensor]) -> SlimNet:
    """Return the network with the stored tensors (any float type) as float32, ready for inference.

    Normalisations are folded into the convolutions before them, which is faster and the same function.
    """
    network = build_slim(0)
    load_stored(network, tensors)
    network.eval().requires_grad_(False)
    fold_norms(network)
    return network.to(memory_format=torch.channels_last)
