"""Joints as places on heatmaps: their expected places, and how well the maps agree with given ones.

Sun et al., "Integral Human Pose Regression" (2018). Places are x, y from 0 to 1 across a map, whose cells stand for
their centres.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def expected_places(heatmaps: Tensor) -> Tensor:  # [B, N, h, w] -> [B, N, 2]
    """Expected x, y under a softmax over each map."""
    height, width = heatmaps.shape[-2:]
    share = _wide(heatmaps).flatten(2).softmax(-1).view(heatmaps.shape)
    x, y = ((torch.arange(size, device=share.device) + 0.5) / size for size in (width, height))
    return torch.stack([(share.sum(2) * x).sum(-1), (share.sum(3) * y).sum(-1)], dim=-1)


def cross_entropy(heatmaps: Tensor, places: Tensor) -> Tensor:  # [B, N, h, w], [B, N, 2] -> [B, N]
    """Cross-entropy of the maps' softmax against all weight at `places`, shared among the four nearest cells.

    So the expectation of a perfect map is the place itself. Places beyond the centres of the outer cells count as
    on them; NaN as anywhere.
    """
    height, width = heatmaps.shape[-2:]
    logarithms = F.log_softmax(_wide(heatmaps).flatten(2), dim=-1).view(heatmaps.shape)
    x, y = (_shares(places[..., axis], size) for axis, size in ((0, width), (1, height)))
    return -(y.unsqueeze(-2) @ logarithms @ x.unsqueeze(-1)).squeeze(-1).squeeze(-1)


def _wide(heatmaps: Tensor) -> Tensor:
    """In float32 at least."""
    return heatmaps.to(torch.promote_types(heatmaps.dtype, torch.float32))


def _shares(place: Tensor, size: int) -> Tensor:  # [B, N] -> [B, N, size]
    """How a place along one axis is shared among the cells: linearly between the two nearest centres."""
    cells = (place * size - 0.5).nan_to_num(0.0).clamp(0, size - 1)
    distance = (cells.unsqueeze(-1) - torch.arange(size, device=place.device)).abs()
    return (1 - distance).clamp_min(0)
