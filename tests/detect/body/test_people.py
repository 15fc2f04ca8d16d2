"""Painted stick figures come back as the same people."""

import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.detect.body.maps import enlarge, find_peaks
from s2hand.detect.body.paf import connect
from s2hand.detect.body.people import People, assemble
from s2hand.detect.body.skeleton import LIMBS, PART_COUNT

TOLERANCE = 0.25  # cells of the network


def _find(maps, fields, levels) -> People:
    peaks = find_peaks([scale[:PART_COUNT] for scale in maps], levels)
    return assemble(peaks, connect(peaks, enlarge(fields, levels)))


def _assert_same(people: People, painted: list[NDArray], height: int) -> None:
    """Each painted figure is one of the people, part by part; nobody else is there."""
    cell = height / 23
    assert len(people.xy) == len(painted)
    left = list(people.xy + 0.5)
    for points in painted:
        distances = [np.nanmax(np.abs(one - points), initial=0) + 9e9 * _missing_differ(one, points) for one in left]
        nearest = int(np.argmin(distances))
        assert distances[nearest] < TOLERANCE * cell
        left.pop(nearest)
    np.testing.assert_array_equal(people.value == 0, np.isnan(people.xy[:, :, 0]))
    assert people.value.max() < 1.05


def _missing_differ(one: NDArray, other: NDArray) -> bool:
    return bool(np.any(np.isnan(one) != np.isnan(other)))


SCENES = {
    "one": (480, 640, [(321.3, 243.1, 201.7)]),
    "two": (480, 640, [(180.2, 241.9, 190.3), (470.9, 250.2, 200.1)]),
    "two that overlap": (480, 640, [(300.2, 241.9, 200.3), (390.9, 265.2, 180.1)]),
    "five": (500, 1200, [(120.3 + 235.7 * i, 250.2 + 7 * i, 180.2 - 12 * i) for i in range(5)]),
    "one small among two": (720, 720, [(200.4, 380.2, 300.1), (520.7, 350.1, 290.4), (365.2, 500.3, 110.2)]),
    "one who leans": (480, 640, [(300.6, 240.2, 180.3, 0.5)]),
    "portrait, large": (3000, 2000, [(1011.7, 1490.2, 1250.3)]),
}


@pytest.mark.parametrize("name", SCENES)
def test_figures_come_back(name, painting):
    height, width, places = SCENES[name]
    figures = [painting.figure(*place) for place in places]
    _assert_same(_find(*painting.paint(figures, height, width)), figures, height)


def test_a_missing_arm_is_missing_and_nothing_else(painting):
    figures = [
        painting.figure(180.2, 241.9, 190.3, without=(3, 4)),
        painting.figure(470.9, 250.2, 200.1, without=(7, 16)),
    ]
    _assert_same(_find(*painting.paint(figures, 480, 640)), figures, 480)


@pytest.mark.parametrize(("x", "y"), [(10.2, 240.3), (629.7, 240.3), (320.1, 430.4), (320.3, 150.2)])
def test_what_the_border_cuts_off_is_missing(x, y, painting):
    whole = painting.figure(x, y, 200.2)
    cut = painting.within(whole, 480, 640)
    assert np.isnan(cut).any()
    people = _find(*painting.paint([cut], 480, 640))
    assert len(people.xy) == 1
    np.testing.assert_array_equal(np.isnan(people.xy[0]), np.isnan(cut))
    # At the border itself the smoothing mirrors a peak onto itself, and may move it by a cell.
    assert np.nanmax(np.abs(people.xy[0] + 0.5 - cut)) < 480 / 23


def test_several_scales_are_averaged(painting):
    figures = [painting.figure(180.2, 241.9, 190.3), painting.figure(470.9, 250.2, 200.1)]
    _assert_same(_find(*painting.paint(figures, 480, 640, scales=(0.5, 1.0))), figures, 480)


@pytest.mark.parametrize("name", ["one", "two that overlap", "five"])
def test_a_mirror_swaps_left_and_right(name, painting):
    _, _, places = SCENES[name]
    height, width = 368, 1200  # whole cells: there is no padding, which would be on one side only
    maps, fields, levels = painting.paint([painting.figure(*(0.7 * np.array(p))) for p in places], height, width)
    mirrored = painting.mirrored_parts
    people = _find(maps, fields, levels)
    reflected = _find([maps[0][[*mirrored, PART_COUNT]].flip(-1)], [_mirror_fields(fields[0], mirrored)], levels)
    assert len(people.xy) == len(places)
    expected = people.xy[:, mirrored] * (-1, 1) + (width - 1, 0)
    order = [np.lexsort(one[:, 1].T) for one in (expected, reflected.xy)]
    assert np.nanmax(np.abs(expected[order[0]] - reflected.xy[order[1]])) <= 1


def _mirror_fields(fields, mirrored):
    channel_of = {(start, end): channel for start, end, channel in LIMBS}
    swapped = fields.clone()
    for start, end, channel in LIMBS:
        other = channel_of[mirrored[start], mirrored[end]]
        swapped[other] = -fields[channel].flip(-1)
        swapped[other + 1] = fields[channel + 1].flip(-1)
    return swapped


def test_nobody_is_an_answer(painting):
    people = _find(*painting.paint([], 480, 640))
    assert people.xy.shape == (0, 18, 2)
    assert people.value.shape == (0, 18)


def test_three_parts_are_no_person(painting):
    arm_only = painting.figure(320.2, 240.3, 200.4, without=[part for part in range(18) if part not in (2, 3, 4)])
    assert len(_find(*painting.paint([arm_only], 480, 640)).xy) == 0
    with_neck = painting.figure(320.2, 240.3, 200.4, without=[part for part in range(18) if part not in (1, 2, 3, 4)])
    assert len(_find(*painting.paint([with_neck], 480, 640)).xy) == 1


def test_weak_maps_are_no_person(painting):
    maps, fields, levels = painting.paint([painting.figure(320.2, 240.3, 200.4)], 480, 640)
    assert len(_find([maps[0] * 0.17], [fields[0] * 0.17], levels).xy) == 0
    assert len(_find([maps[0] * 0.4], [fields[0] * 0.4], levels).xy) == 1
