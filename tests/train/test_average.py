"""The moving average of the weights, by hand."""

import torch
from torch import nn

from s2hand.train.average import WeightAverage


def network(value: float) -> nn.Module:
    module = nn.Sequential(nn.BatchNorm1d(1))
    set_to(module, value)
    return module


def set_to(module: nn.Module, value: float) -> None:
    """Let all its numbers be `value`, its count of batches too."""
    for tensor in module.state_dict().values():
        tensor.fill_(value)


def test_the_decay_rises_to_its_limit_and_counts_are_copied() -> None:
    module = network(0.0)
    average = WeightAverage(module, decay=0.15)
    expected = 0.0
    for decay, value in ((1 / 10, 1.0), (0.15, 5.0), (0.15, 2.0)):  # the second would be 2 / 11
        set_to(module, value)
        average.update()
        expected = decay * expected + (1 - decay) * value
        weights = dict(average.weights())
        assert weights.pop("0.num_batches_tracked") == value
        torch.testing.assert_close(torch.stack([*weights.values()]), torch.full((4, 1), expected))


def test_a_saved_average_goes_on_as_if_nothing_had_happened() -> None:
    module = network(1.0)
    one = WeightAverage(module, decay=0.9)
    set_to(module, 2.0)
    one.update()
    saved = {name: torch.as_tensor(value).clone() for name, value in one.state_dict().items()}
    set_to(module, 3.0)
    other = WeightAverage(module, decay=0.9)
    other.load_state_dict(saved)
    for average in (one, other):
        average.update()
    assert (one.weights()["0.weight"] < 3).all()
    assert all(torch.equal(tensor, other.weights()[name]) for name, tensor in one.weights().items())


def test_without_decay_it_is_the_network_itself() -> None:
    module = network(1.0)
    average = WeightAverage(module, decay=0.0)
    average.update()
    set_to(module, 4.0)
    assert all((tensor == 4).all() for tensor in average.weights().values())
    assert average.state_dict() == {"steps": 0}
