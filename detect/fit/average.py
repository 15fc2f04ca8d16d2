"""A running average of a network's weights over the steps: smoother than any one step's, and better on new images."""

import copy

import torch
from torch import nn


class Average:
    """Keeps the average of the parameters and running statistics of a network.

    The decay grows with the steps, min(decay, (1 + n) / (10 + n)), so that the first weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step; the first one is step 0."""
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), weight)
        for ours, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, weight)
            else:
                ours.copy_(theirs)
