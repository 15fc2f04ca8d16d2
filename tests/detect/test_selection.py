"""Which hands are shown, and in which order."""

import pytest

from s2hand.datasets.cameras import Box
from s2hand.detect.selection import Selection, choose, spread

WHOLE = Box(0, 0, 128, 128)


def _changed(hand, confidence, scale=1.0):
    """The hand of that confidence, smaller, at the same place."""
    changed = hand.copy()
    changed[:, :2] = (hand[:, :2] - hand[:, :2].mean(0)) * scale + hand[:, :2].mean(0)
    changed[:, 2] = confidence
    return changed


@pytest.fixture
def shards(write_run, natural_hands):
    """Five hands in four images; the shards, an image each, are not in the order of anything else."""
    hand = natural_hands[0]
    return write_run(
        {
            "b/1.jpg": [("right", WHOLE, _changed(hand, 0.5, 0.6)), ("left", WHOLE, _changed(hand, 0.9, 0.65))],
            "a/2.jpg": [("right", WHOLE, _changed(hand, 0.7, 0.9))],
            "a/3.jpg": [("left", WHOLE, _changed(hand, 0.1, 0.5))],
            "c.jpg": [("left", WHOLE, _changed(hand, 0.7, 0.7))],
            "empty.jpg": [],
        },
        per_shard=1,
    )


def _names(shards, apart=False, **values):
    chosen, total = choose(shards, Selection(**values), apart)
    return [shown.image for shown in chosen], total


def test_photographs_by_name_with_all_their_hands(shards):
    chosen, total = choose(shards, Selection())
    assert [shown.image for shown in chosen] == ["a/2.jpg", "a/3.jpg", "b/1.jpg", "c.jpg"]
    assert total == 4
    assert [(hand.hand, round(hand.confidence, 3)) for hand in chosen[2].hands] == [("right", 0.5), ("left", 0.9)]
    assert chosen[2].hands[0].box == WHOLE


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a/2.jpg", "a/3.jpg", "b/1.jpg", "b/1.jpg", "c.jpg"]),
        ("confidence", ["a/3.jpg", "b/1.jpg", "a/2.jpg", "c.jpg", "b/1.jpg"]),  # equal ones by name
        ("-confidence", ["b/1.jpg", "a/2.jpg", "c.jpg", "b/1.jpg", "a/3.jpg"]),
        ("size", ["a/3.jpg", "b/1.jpg", "b/1.jpg", "c.jpg", "a/2.jpg"]),
        ("-size", ["a/2.jpg", "c.jpg", "b/1.jpg", "b/1.jpg", "a/3.jpg"]),
    ],
)
def test_order_of_hands(shards, sort, expected):
    assert _names(shards, apart=True, sort=sort) == (expected, 5)
    photographs = list(dict.fromkeys(expected))
    assert _names(shards, sort=sort) == (photographs, 4)  # each where its first hand is
    assert _names(shards, sort=sort, most=1)[0] == photographs[:1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"hand": "left"}, ["a/3.jpg", "b/1.jpg", "c.jpg"]),
        ({"min_confidence": 0.6, "max_confidence": 0.8}, ["a/2.jpg", "c.jpg"]),
        ({"match": "a/*"}, ["a/2.jpg", "a/3.jpg"]),
        ({"match": "A/*", "hand": "right"}, None),
        ({"suspicious": True}, ["a/3.jpg", "b/1.jpg", "b/1.jpg"]),
        ({"suspicious": True, "hand": "left", "match": "b*"}, ["b/1.jpg"]),
    ],
)
def test_filters(shards, filters, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"holds no hand to draw .* that passes --hand, --match$"):
            choose(shards, Selection(**filters))
    else:
        assert _names(shards, apart=True, **filters) == (expected, len(expected))


def test_filtered_hands_of_a_photograph_are_left_out(shards):
    ((shown,), _) = choose(shards, Selection(hand="left", match="b/*"))
    assert [hand.hand for hand in shown.hands] == ["left"]


def test_suspicious_hands_say_why(shards):
    (first, second), _ = choose(shards, Selection(suspicious=True))
    assert first.hands[0].reasons == ("low confidence",)
    assert second.hands[0].reasons == second.hands[1].reasons == ("two hands on one spot",)


def test_by_name_the_most_are_spread_over_all(shards):
    assert _names(shards, most=2) == (["a/2.jpg", "c.jpg"], 4)
    assert spread(3, 5) == [0, 1, 2]
    assert spread(1001, 5) == [0, 250, 500, 750, 1000]


def test_a_run_without_hands(write_run):
    with pytest.raises(ValueError, match=r"holds no hand to draw on a contact sheet$"):
        choose(write_run({"a.jpg": []}), Selection())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sort": "age"}, "sort: expected one of name, confidence"),
        ({"min_confidence": 0.5, "max_confidence": 0.4}, "expected 0 <= min <= max <= 1, found 0.5 and 0.4"),
        ({"max_confidence": 2}, "expected 0 <= min <= max <= 1, found 0.0 and 2"),
        ({"most": 0}, "most: expected 1 or more, found 0"),
    ],
)
def test_wrong_selections(values, message):
    with pytest.raises(ValueError, match=message):
        Selection(**values)
