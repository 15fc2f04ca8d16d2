"""The rules by which connected peaks become people, one at a time."""

import numpy as np
import pytest

from s2hand.detect.body.maps import Peaks
from s2hand.detect.body.paf import Connections
from s2hand.detect.body.people import People, assemble
from s2hand.detect.body.skeleton import FOUNDING_LIMBS, LIMBS, PART_COUNT, PARTS

COPIES = 2
"""Peaks of each part; peak 2 p + c is copy c of part p, at the pixel (10 p, c)."""

PEAKS = Peaks(
    np.repeat(np.arange(PART_COUNT), COPIES),
    np.array([(10 * part, copy) for part in range(PART_COUNT) for copy in range(COPIES)]),
    np.full(PART_COUNT * COPIES, 0.8),
)


def _assemble(*joined: tuple[str, str, int, int], score: float = 0.9) -> list[dict[str, int]]:
    """Join parts by name and copy; return each person's copies by the part's name."""
    connections = []
    for start, end, _ in LIMBS:
        pairs = [(a, b) for one, other, a, b in joined if (one, other) == (PARTS[start], PARTS[end])]
        starts, ends = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
        connections.append(Connections(starts + COPIES * start, ends + COPIES * end, np.full(len(pairs), score)))
    people = assemble(PEAKS, connections)
    return [
        {PARTS[part]: int(xy[1]) for part, xy in enumerate(person) if not np.isnan(xy).any()} for person in people.xy
    ]


RIGHT_ARM = (("right_shoulder", "right_elbow", 0, 0), ("right_elbow", "right_wrist", 0, 0))
HEAD = (("nose", "right_eye", 0, 0), ("right_eye", "right_ear", 0, 0))
EAR = ("right_shoulder", "right_ear", 0, 0)


def test_limbs_that_share_a_peak_are_one_person():
    arm = _assemble(("neck", "right_shoulder", 1, 0), *RIGHT_ARM)
    assert arm == [{"neck": 1, "right_shoulder": 0, "right_elbow": 0, "right_wrist": 0}]


def test_a_later_limb_makes_one_person_of_two():
    assert _assemble(*RIGHT_ARM, *HEAD) == []  # three parts each
    (person,) = _assemble(*RIGHT_ARM, *HEAD, EAR)
    assert set(person) == {"right_shoulder", "right_elbow", "right_wrist", "nose", "right_eye", "right_ear"}


def test_from_shoulder_to_ear_founds_nobody():
    assert {(PARTS[start], PARTS[end]) for start, end, _ in LIMBS[FOUNDING_LIMBS:]} == {
        ("right_shoulder", "right_ear"),
        ("left_shoulder", "left_ear"),
    }
    arm = (("left_shoulder", "left_elbow", 0, 0), ("left_elbow", "left_wrist", 0, 0))
    assert _assemble(*arm, ("left_shoulder", "left_ear", 0, 1)) == [
        {"left_shoulder": 0, "left_elbow": 0, "left_wrist": 0, "left_ear": 1}
    ]
    assert _assemble(EAR) == []


def test_two_people_who_have_the_same_part_stay_two():
    one = (("neck", "right_shoulder", 0, 0), *RIGHT_ARM)
    other = (("neck", "nose", 1, 0), *HEAD)
    people = _assemble(*one, *other, ("neck", "left_shoulder", 1, 0), EAR)
    assert [person["neck"] for person in people] == [0, 1]
    assert [person.get("right_ear") for person in people] == [0, 0]  # the first takes it as well, as published


@pytest.mark.parametrize(("score", "count"), [(0.9, 1), (-0.9, 0)])
def test_weakly_joined_parts_are_no_person(score, count):
    # Four parts of 0.8 and three limbs: (3.2 + 3 x 0.9) / 4 is above 0.4, (3.2 - 3 x 0.9) / 4 is below.
    assert len(_assemble(("neck", "right_shoulder", 0, 0), *RIGHT_ARM, score=score)) == count


def test_people_check_their_shapes():
    with pytest.raises(ValueError, match=r"expected xy \[P, 18, 2\] .* found \(1, 17, 2\) and \(1, 17\)"):
        People(np.zeros((1, 17, 2)), np.zeros((1, 17)))
