"""What training minimises: the cross-entropy of the heatmaps, and how far the expected place is off."""

import torch
from torch import Tensor

_FAR = -10.0  # a place whose target is 0 everywhere


def target_heatmaps(places: Tensor, side: int, sigma: float) -> Tensor:  # [B, J, 2] -> [B, J, side^2]
    """Return a normalised Gaussian per joint over the cells.

    places: (x, y) in units of the crop's side; sigma: cells. Cells count with their centres, (i + 0.5) / side. The
    target of a joint outside sums to less than 1, of one far outside to 0, so that it does not count.
    """
    centre = torch.arange(side, device=places.device) + 0.5
    offset = centre - places[..., None] * side  # [B, J, 2, side]
    weight = torch.exp(-0.5 * (offset / sigma) ** 2) / (sigma * (2 * torch.pi) ** 0.5)
    heat: Tensor = weight[..., 1, :, None] * weight[..., 0, None, :]
    return heat.flatten(2)


def expected_places(belief: Tensor, side: int) -> Tensor:  # [B, J, side^2] -> [B, J, 2]
    """Return the mean place (x, y) of beliefs that sum to 1, in units of the crop's side."""
    grid = belief.view(*belief.shape[:-1], side, side)
    centre = (torch.arange(side, device=belief.device) + 0.5) / side
    return torch.stack([(grid.sum(-2) * centre).sum(-1), (grid.sum(-1) * centre).sum(-1)], -1)


def heatmap_losses(logits: Tensor, places: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return cross-entropy and L1 distance of the expected place per joint, both [B, J].

    logits [B, J, S, S]; places [B, J, 2] in units of the crop's side; the L1 distance is in the same units. Joints
    outside and joints of unknown place (NaN) give 0.
    """
    places = torch.nan_to_num(places, nan=_FAR)
    side = logits.shape[-1]
    log_belief = logits.float().flatten(2).log_softmax(-1)
    cross_entropy = -(target_heatmaps(places, side, sigma) * log_belief).sum(-1)
    seen = ((places >= 0) & (places <= 1)).all(-1)
    distance = (expected_places(log_belief.exp(), side) - places).abs().mean(-1)
    return cross_entropy, distance * seen
