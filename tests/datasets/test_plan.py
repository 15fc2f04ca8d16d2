"""Images keep their shard: added ones come after, gone ones leave, and only a change of what matters starts anew."""

import pyarrow.parquet as pq
import pytest

from s2hand.datasets.plan import PLAN, plan_shards


def plan(folder, names, size=2, made_for="a"):
    return plan_shards(folder, sorted(names), size, made_for)


def test_sorted_names_are_cut_into_shards(tmp_path):
    assert plan(tmp_path, "edcba") == [("a", "b"), ("c", "d"), ("e",)]


def test_a_plan_is_the_same_again(tmp_path):
    first = plan(tmp_path, "abcde")
    content = (tmp_path / PLAN).read_bytes()
    assert plan(tmp_path, "abcde") == first
    assert (tmp_path / PLAN).read_bytes() == content


def test_new_images_get_shards_of_their_own(tmp_path):
    plan(tmp_path, "bdf")
    assert plan(tmp_path, "abcdef") == [("b", "d"), ("f",), ("a", "c"), ("e",)]
    assert plan(tmp_path, "abcdefg") == [("b", "d"), ("f",), ("a", "c"), ("e",), ("g",)]


def test_gone_images_leave_and_move_no_other(tmp_path):
    plan(tmp_path, "abcdefg")
    assert plan(tmp_path, "aefg") == [("a",), (), ("e", "f"), ("g",)]
    assert plan(tmp_path, "aefgx") == [("a",), (), ("e", "f"), ("g",), ("x",)]
    assert plan(tmp_path, "ae") == [("a",), (), ("e",)]


@pytest.mark.parametrize("change", [{"size": 3}, {"made_for": "b"}])
def test_what_the_plan_was_made_for_starts_it_anew(tmp_path, change):
    plan(tmp_path, "bc")
    assert plan(tmp_path, "abcd", **change)[0][0] == "a"


def test_a_damaged_plan_is_made_anew(tmp_path):
    plan(tmp_path, "bc")
    file = tmp_path / PLAN
    file.write_bytes(file.read_bytes()[:-20])
    assert plan(tmp_path, "abc") == [("a", "b"), ("c",)]


@pytest.mark.parametrize(
    "change", [lambda table: table.take([2, 1, 0]), lambda table: table.select(["shard", "image"])]
)
def test_a_plan_of_another_form_is_made_anew(tmp_path, change):
    plan(tmp_path, "bcd")
    pq.write_table(change(pq.read_table(tmp_path / PLAN)), tmp_path / PLAN)
    assert plan(tmp_path, "abcd") == [("a", "b"), ("c", "d")]


def test_no_images_are_no_shards(tmp_path):
    assert plan(tmp_path, "") == []
    assert plan(tmp_path, "a") == [("a",)]
