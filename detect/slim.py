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
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from s2hand.datasets.skeleton import JOINT_COUNT

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
        self.stem = _conv(3 * _STEM_FOLD**2, _STEM, 3)
        self.mid = nn.Sequential(_conv(4 * _STEM, _MID, 1), _Residual(_MID))
        self.low = nn.Sequential(_conv(4 * _MID, _LOW, 1), _Residual(_LOW))
        self.whole = nn.Sequential(_conv(4 * _LOW, _LOW, 1), _Residual(_LOW))
        self.context = _Residual(_LOW)
        self.widen = nn.Conv2d(_LOW, _MID, 1)
        self.merge = _Residual(_MID)
        self.head = nn.Conv2d(_MID, 4 * JOINT_COUNT, 1)

    def forward(self, crops: Tensor) -> Tensor:  # [B, 3, 128, 128] -> [B, 21, 32, 32]
        """Return the logits of the heatmaps."""
        mid = self.mid(_fold(self.stem(_fold(crops, _STEM_FOLD)), 2))
        low = self.low(_fold(mid, 2))
        context = self.context(low + _double(self.whole(_fold(low, 2))))
        merged = self.merge(mid + _double(self.widen(context)))
        return _unfold(self.head(merged), 2)


class _Residual(nn.Module):
    """x + two 3 x 3 convolutions of it; the second one's scale starts at 0, so that a new block changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 3)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        norm = nn.BatchNorm2d(channels)
        self.norm: nn.Module = norm
        nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.norm(self.second(self.first(x)))
        return F.relu(x + change)


def _conv(inputs: int, outputs: int, side: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _fold(x: Tensor, n: int) -> Tensor:  # [B, C, H, W] -> [B, n n C, H/n, W/n]
    """Move squares of n x n pixels into the channels; in memory the channels are and stay last, so it is quick."""
    batch, channels, height, width = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height // n, n, width // n, n, channels)
    folded = squares.transpose(2, 3).reshape(batch, height // n, width // n, n * n * channels)
    return folded.permute(0, 3, 1, 2)


def _unfold(x: Tensor, n: int) -> Tensor:  # [B, n n C, H, W] -> [B, C, n H, n W]
    """Undo `_fold`; the channels come first in memory, one heatmap after the other."""
    batch, channels, height, width = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height, width, n, n, channels // (n * n))
    return squares.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels // (n * n), n * height, n * width)


def _double(x: Tensor) -> Tensor:  # [B, C, H, W] -> [B, C, 2 H, 2 W]
    return F.interpolate(x, scale_factor=2.0)


def build_slim(seed: int) -> SlimNet:
    """Return a network with fresh weights that depend on the seed only; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SlimNet()


def slim_shapes() -> dict[str, tuple[int, ...]]:
    """Return name and shape of each tensor of a slim weight file."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in stored_tensors(SlimNet()).items()}


def stored_tensors(network: SlimNet) -> dict[str, Tensor]:
    """Return what a weight file holds of a network: its parameters and the statistics of its normalisations."""
    return {name: tensor for name, tensor in network.state_dict().items() if not _is_counter(name)}


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
    _fold_norms(network)
    return network.to(memory_format=torch.channels_last)


def _fold_norms(network: SlimNet) -> None:
    """Scale each convolution as the normalisation after it would, and take that away."""
    for module in network.modules():
        if isinstance(module, _Residual) and isinstance(module.norm, nn.BatchNorm2d):
            module.second = fuse_conv_bn_eval(module.second, module.norm)
            module.norm = nn.Identity()
        elif isinstance(module, nn.Sequential) and isinstance(module[1], nn.BatchNorm2d):
            convolution = module[0]
            assert isinstance(convolution, nn.Conv2d)
            module[0], module[1] = fuse_conv_bn_eval(convolution, module[1]), nn.Identity()


def _is_counter(name: str) -> bool:
    # How many batches a normalisation has seen: no one reads it with a fixed momentum.
    return name.endswith("num_batches_tracked")
