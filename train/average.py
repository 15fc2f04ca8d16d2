"""A moving average of a network's weights, which generalises better than the last ones, and sooner."""

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of all floating-point state, batch statistics included.

    The decay rises from 0.1 to `decay`, so that the first weights don't linger: min(decay, (1 + n) / (10 + n))
    at step n. With decay 0 the average is the network's own state.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self.decay = decay
        self.steps = 0
        self._average = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        moving = [name for name, tensor in self._average.items() if tensor.is_floating_point()]
        self._moving = [self._average[name] for name in moving], moving

    @torch.no_grad()
    def update(self) -> None:
        """Take the network's present state into the average."""
        if self.decay == 0:
            return
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        state, (averages, names) = self._network.state_dict(), self._moving
        torch._foreach_lerp_(averages, [state[name] for name in names], 1 - decay)
        for name, tensor in state.items():
            if not tensor.is_floating_point():
                self._average[name].copy_(tensor)

    def weights(self) -> dict[str, Tensor]:
        """The averaged state."""
        return dict(self._network.state_dict()) if self.decay == 0 else self._average

    def state_dict(self) -> dict[str, Tensor | int]:
        """What `load_state_dict` needs to go on."""
        return {"steps": self.steps, **({} if self.decay == 0 else self._average)}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Go on from a saved average."""
        self.steps = int(state["steps"])
        for name in () if self.decay == 0 else self._average:
            saved = state[name]
            assert isinstance(saved, Tensor)
            self._average[name].copy_(saved)
