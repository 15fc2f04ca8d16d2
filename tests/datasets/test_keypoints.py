import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2hand.datasets.files import DataError, read_json, sha256_file, write_json
from s2hand.datasets.keypoints import iterate_keypoints, read_failures, read_keypoints
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import ShardStore, Source


@pytest.fixture
def run(tmp_path: Path, hand_row: Callable[..., HandRow]) -> Path:
    """A finished run of two shards with a hand each."""
    store = ShardStore(tmp_path / "run", Provenance("slim", "aa", {"scales": [1.0]}, "cc"))
    with store.writing():
        for number, image in enumerate(["a.jpg", "b.jpg"]):
            row = hand_row(image=image)
            store.write(number, [Source(image, 1, row.sha256)], [row], [])
        store.finish(2)
    return store.folder


def swap(run: Path, table: pa.Table) -> None:
    """Replace the first shard and make the manifest agree, as a careless editor would."""
    pq.write_table(table, run / "part-00000.parquet")
    manifest = read_json(run / "manifest.json")
    manifest["shards"][0]["sha256"] = sha256_file(run / "part-00000.parquet")
    write_json(run / "manifest.json", manifest)


def test_a_finished_run_is_read(run: Path) -> None:
    assert read_keypoints(run)["image"].to_pylist() == ["a.jpg", "b.jpg"]
    assert read_keypoints(str(run)).num_rows == 2


def test_a_run_is_read_shard_by_shard(run: Path) -> None:
    shards = iterate_keypoints(run)
    assert next(shards)["image"].to_pylist() == ["a.jpg"]
    assert next(shards).schema.metadata == read_keypoints(run).schema.metadata
    with pytest.raises(StopIteration):
        next(shards)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder; run detection first"):
        read_keypoints(tmp_path / "missing")
    with pytest.raises(DataError, match="no detection run lies here; run detection first, or name the folder"):
        read_keypoints(tmp_path)
    (tmp_path / "part-00000.parquet").touch()
    with pytest.raises(DataError, match="not complete"):
        read_keypoints(tmp_path)


def test_a_missing_shard(run: Path) -> None:
    (run / "part-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"part-00001\.parquet: is in the manifest but missing"):
        read_keypoints(run)


def test_a_surplus_shard(run: Path) -> None:
    (run / "part-00002.parquet").write_bytes((run / "part-00001.parquet").read_bytes())
    with pytest.raises(DataError, match=r"part-00002\.parquet: not in the manifest"):
        read_keypoints(run)


def test_an_altered_shard(run: Path) -> None:
    (run / "part-00000.parquet").write_bytes((run / "part-00001.parquet").read_bytes())
    with pytest.raises(DataError, match=r"part-00000\.parquet: was altered"):
        read_keypoints(run)


def test_a_shard_that_is_no_table(run: Path) -> None:
    (run / "part-00000.parquet").write_text("text")
    manifest = read_json(run / "manifest.json")
    manifest["shards"][0]["sha256"] = sha256_file(run / "part-00000.parquet")
    write_json(run / "manifest.json", manifest)
    with pytest.raises(DataError, match=r"part-00000\.parquet: not a Parquet file"):
        read_keypoints(run)


def test_a_foreign_schema(run: Path) -> None:
    swap(run, pq.read_table(run / "part-00000.parquet").drop_columns(["hand"]))
    with pytest.raises(DataError, match="column hand: expected string, found no such column"):
        read_keypoints(run)


def test_another_number_of_rows(run: Path) -> None:
    swap(run, pq.read_table(run / "part-00000.parquet").slice(0, 0))
    with pytest.raises(DataError, match="expected 1 rows, found 0"):
        read_keypoints(run)


def test_zeros_for_missing_joints_are_refused(run: Path) -> None:
    """Rows that another program wrote, with (0, 0) for a joint that was not found."""
    table = pq.read_table(run / "part-00000.parquet")
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(63, np.float32)), 63)
    swap(run, table.set_column(7, table.schema.field(7), zeros))
    with pytest.raises(DataError, match="expected NaN coordinates where the confidence is 0"):
        read_keypoints(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 0}, "not the manifest of a complete run"),
        ({"complete": False}, "not the manifest of a complete run"),
        ({"joint_names": ["wrist"]}, "joint_names: expected"),
        ({"parameters": None}, "does not say where"),
        ({"shards": [{"name": "part-00000.parquet"}]}, "incomplete"),
        ({"rows": None}, "incomplete"),
    ],
)
def test_a_foreign_manifest(run: Path, change: dict[str, object], message: str) -> None:
    write_json(run / "manifest.json", {**read_json(run / "manifest.json"), **change})
    with pytest.raises(DataError, match=rf"manifest\.json: {message}"):
        read_keypoints(run)
    write_json(run / "manifest.json", [1])
    with pytest.raises(DataError, match="not the manifest"):
        read_keypoints(run)


def test_failures_that_are_missing_or_damaged(run: Path) -> None:
    assert read_failures(run) == {}
    (run / "failures.parquet").write_text("text")
    with pytest.raises(DataError, match=r"failures\.parquet: not a table of failures .*; run detection again"):
        read_failures(run)
    (run / "failures.parquet").unlink()
    with pytest.raises(DataError, match=r"failures\.parquet: not a table of failures"):
        read_failures(run)


def test_other_programs_read_the_shards(run: Path) -> None:
    """A process that knows nothing of this project: the columns and their fixed lengths are in the file."""
    code = "import sys, pyarrow.parquet as pq; print(pq.read_table(sys.argv[1]).schema.field('keypoints').type)"
    path = run / "part-00000.parquet"
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "fixed_size_list<element: float>[63]"
