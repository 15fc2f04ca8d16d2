import numpy as np
import pytest
import torch

from s2hand.detect.boxes.decode import peaks
from s2hand.detect.boxes.fit.compose import LEFT, RIGHT, Scene
from s2hand.detect.boxes.fit.loss import make_targets, scene_loss
from s2hand.detect.boxes.network import STRIDE


def scene(boxes=(), sides=(), ignored=()):
    image = np.zeros((64, 64, 3), np.uint8)
    return Scene(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(sides, np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


HANDS = scene([(20.5, 30.0, 24, 16), (50, 45, 10, 12)], [RIGHT, LEFT])


def perfect(targets):
    """The maps that the targets ask for."""
    side = targets.nearness.shape[-1]
    cell = torch.arange(side) + 0.5
    grid = torch.stack(torch.meshgrid(cell, cell, indexing="xy"))
    logits = torch.where(targets.nearness == 1, 12.0, -12.0)
    maps = [logits[:, None], targets.boxes[:, :2] - grid, targets.boxes[:, 2:].log()]
    return torch.cat(maps, 1)


def test_what_the_targets_ask_for_is_what_decoding_reads():
    targets = make_targets([HANDS])
    found = peaks(perfect(targets)[0], 0.5, 5)
    np.testing.assert_allclose(found.boxes[np.argsort(found.boxes[:, 0])], HANDS.boxes, rtol=1e-5)


def test_perfect_maps_cost_nothing_and_each_mistake_costs():
    targets = make_targets([HANDS])
    best = perfect(targets)
    assert scene_loss(best, targets, 1.0) < 1e-3
    for change in (
        lambda maps: maps.flip(-1),  # elsewhere
        lambda maps: maps * torch.tensor([1, 1, 1, 0, 1]).view(1, 5, 1, 1),  # a wrong width
        lambda maps: maps + torch.tensor([0, 1.0, 0, 0, 0]).view(1, 5, 1, 1),  # a cell to the right
        lambda maps: maps * torch.tensor([0, 1, 1, 1, 1]).view(1, 5, 1, 1),  # unsure everywhere
    ):
        assert scene_loss(change(best), targets, 1.0) > 0.05


def test_hidden_hands_teach_nothing():
    hidden = make_targets([scene(ignored=[(32, 32, 24, 24)])])
    logits = torch.full((1, 5, 64 // STRIDE, 64 // STRIDE), -12.0)
    logits[:, 0, 4, 4] = 5.0
    assert scene_loss(logits, hidden, 1.0) < 1e-3
    assert scene_loss(logits, make_targets([scene()]), 1.0) > 1


def test_the_gradient_reaches_every_map():
    maps = torch.zeros(1, 5, 8, 8, requires_grad=True)
    scene_loss(maps, make_targets([HANDS]), 1.0).backward()
    assert maps.grad is not None
    assert (maps.grad.abs().amax((0, 2, 3)) > 0).all()


def test_weight_of_boxes():
    targets = make_targets([HANDS])
    off = perfect(targets) + torch.tensor([0, 1.0, 0, 0, 0]).view(1, 5, 1, 1)
    assert scene_loss(off, targets, 0.0) < 1e-3
    assert scene_loss(off, targets, 2.0).item() == pytest.approx(2 * scene_loss(off, targets, 1.0).item(), rel=0.01)
