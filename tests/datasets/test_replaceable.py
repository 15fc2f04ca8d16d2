"""Which folders a run may write into: those of its own, and no other's."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2hand.datasets.files import DataError
from s2hand.datasets.plan import PLAN, plan_key, plan_shards
from s2hand.datasets.replaceable import check_replaceable
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import ShardStore, Source

OURS = Provenance("test", "0", {}, "0")
KEY = plan_key(2, "a")


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run of three images."""
    folder = tmp_path / "out"
    store = ShardStore(folder, OURS)
    with store.writing():
        for number, names in enumerate(plan_shards(folder, ["a", "b", "c"], 2, "a")):
            store.write(number, [Source(name, 1, "0") for name in names], [], [])
        store.finish(2)
    return folder


def check(folder, names=("a", "b", "c"), provenance=OURS, key=KEY, anew=False):
    check_replaceable(folder, names, provenance, key, anew)


def test_a_new_or_empty_folder_and_the_same_run(tmp_path, run):
    check(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    check(tmp_path / "empty")
    check(run)
    check(run, names=("c", "d"))
    (run / "manifest.json").unlink()
    check(run)


@pytest.mark.parametrize(
    ("change", "what"),
    [({"key": plan_key(2, "b")}, "other weights, parameters"), ({"names": ("x", "y")}, "other images")],
)
def test_another_run_is_replaced_only_when_told_to(run, change, what):
    with pytest.raises(DataError, match=f"out: holds the keypoints of {what}.*--anew"):
        check(run, **change)
    check(run, **change, anew=True)


def test_a_run_without_its_plan_is_told_by_its_manifest(run):
    (run / PLAN).unlink()
    check(run)
    other = Provenance("imported", "0", {}, "0")
    with pytest.raises(DataError, match="of the detector 'test', or other parameters"):
        check(run, provenance=other)
    check(run, provenance=other, anew=True)


def test_a_killed_run_without_its_plan_is_told_by_its_shards(run):
    for name in (PLAN, "manifest.json", "failures.parquet"):
        (run / name).unlink()
    check(run)


@pytest.mark.parametrize("name", ["part-00007.parquet", "manifest.json", "failures.parquet", "plan.parquet"])
@pytest.mark.parametrize("anew", [False, True])
def test_files_of_no_run_are_never_replaced(tmp_path, name, anew):
    pq.write_table(pa.table({"a": [1]}), tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: is of no detection run"):
        check(tmp_path, anew=anew)
    (tmp_path / name).write_text("text")
    with pytest.raises(DataError, match=f"{name}: is of no detection run"):
        check(tmp_path, anew=anew)
