"""Joints as places on heatmaps: what is expected, and what teaches it."""

import math

import torch

from s2hand.train.integral import cross_entropy, expected_places


def test_expected_places_are_those_of_a_sharp_peak():
    heatmaps = torch.zeros(1, 2, 4, 8)
    heatmaps[0, 0, 1, 6] = 100.0
    places = expected_places(heatmaps)[0]
    torch.testing.assert_close(places, torch.tensor([[6.5 / 8, 1.5 / 4], [0.5, 0.5]]))


def test_flat_maps_know_nothing():
    value = cross_entropy(torch.zeros(2, 21, 4, 8), torch.rand(2, 21, 2))
    torch.testing.assert_close(value, torch.full((2, 21), math.log(32)))


def test_the_best_map_expects_the_place_itself():
    torch.manual_seed(0)
    places = 0.2 + 0.6 * torch.rand(1, 5, 2)
    heatmaps = torch.zeros(1, 5, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([heatmaps], 0.5)
    for _ in range(300):
        optimizer.zero_grad()
        cross_entropy(heatmaps, places).sum().backward()
        optimizer.step()
    torch.testing.assert_close(expected_places(heatmaps), places, atol=0.01, rtol=0)


def test_places_outside_count_as_on_the_border_and_none_is_no_number():
    heatmaps = torch.rand(1, 3, 4, 4, requires_grad=True)
    places = torch.tensor([[[2.0, 0.5], [1.0, 0.5], [torch.nan, torch.nan]]])
    value = cross_entropy(heatmaps, places)
    single = cross_entropy(heatmaps[:, :1], torch.tensor([[[1.0, 0.5]]]))
    assert value[0, 0] == single[0, 0]
    assert torch.isfinite(value).all()


def test_gradients_of_the_cross_entropy():
    torch.manual_seed(0)
    heatmaps = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    places = torch.rand(1, 2, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda maps: cross_entropy(maps, places), heatmaps)
