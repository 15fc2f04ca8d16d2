"""What our own small networks are built of: convolutions with their normalisation, residual blocks, folded pixels."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Residual(nn.Module):
    """x + two 3 x 3 convolutions of it; the second one's scale starts at 0, so that a new block changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels, 3)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        norm = nn.BatchNorm2d(channels)
        self.norm: nn.Module = norm
        nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, H, W] -> the same
        """Return x and what the block adds to it, nothing negative."""
        change: Tensor = self.norm(self.second(self.first(x)))
        return F.relu(x + change)


def conv(inputs: int, outputs: int, side: int) -> nn.Sequential:
    """Return a convolution of side x side cells, normalised over the batch, with nothing negative left."""
    convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def fold(x: Tensor, n: int) -> Tensor:  # [B, C, H, W] -> [B, n n C, H/n, W/n]
    """Move squares of n x n pixels into the channels; in memory the channels are and stay last, so it is quick."""
    batch, channels, height, width = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height // n, n, width // n, n, channels)
    folded = squares.transpose(2, 3).reshape(batch, height // n, width // n, n * n * channels)
    return folded.permute(0, 3, 1, 2)


def unfold(x: Tensor, n: int) -> Tensor:  # [B, n n C, H, W] -> [B, C, n H, n W]
    """Undo `fold`; the channels come first in memory, one heatmap after the other."""
    batch, channels, height, width = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height, width, n, n, channels // (n * n))
    return squares.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels // (n * n), n * height, n * width)


def double(x: Tensor) -> Tensor:  # [B, C, H, W] -> [B, C, 2 H, 2 W]
    """Repeat every cell in a square of 2 x 2."""
    return F.interpolate(x, scale_factor=2.0)


def stored_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Return what a weight file holds of a network: its parameters and the statistics of its normalisations."""
    return {name: tensor for name, tensor in network.state_dict().items() if not _is_counter(name)}


def fold_norms(network: nn.Module) -> None:
    """Scale each convolution as the normalisation after it would, and take that away."""
    for module in network.modules():
        if isinstance(module, Residual) and isinstance(module.norm, nn.BatchNorm2d):
            module.second = fuse_conv_bn_eval(module.second, module.norm)
            module.norm = nn.Identity()
        elif isinstance(module, nn.Sequential) and isinstance(module[1], nn.BatchNorm2d):
            convolution = module[0]
            assert isinstance(convolution, nn.Conv2d)
            module[0], module[1] = fuse_conv_bn_eval(convolution, module[1]), nn.Identity()


def _is_counter(name: str) -> bool:
    # How many batches a normalisation has seen: no one reads it with a fixed momentum.
    return name.endswith("num_batches_tracked")
