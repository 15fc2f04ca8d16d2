import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from s2hand.datasets import read_keypoints
from s2hand.datasets.files import DataError
from s2hand.datasets.keypoints import to_arrays
from s2hand.datasets.manifest import read_manifest
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import Failure, ShardStore, Source, fingerprint
from tests.datasets.helpers.runs import SLIM, contents, detect, detect_all


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Seven files that stand for images; the fourth can't be read as one."""
    root = tmp_path / "photographs"
    (root / "ü").mkdir(parents=True)
    for number in range(7):
        (root / f"ü/{number}.jpg").write_bytes(b"broken" if number == 3 else b"image %d" % number)
    return root


def test_a_run_is_read_back(photographs: Path, tmp_path: Path) -> None:
    assert detect_all(photographs, tmp_path / "out", SLIM) == [0, 1, 2, 3]
    table = read_keypoints(tmp_path / "out")
    assert table["image"].to_pylist() == [f"ü/{number}.jpg" for number in (0, 1, 2, 4, 5, 6)]
    assert table.schema.metadata == SLIM.as_metadata()
    sources = [fingerprint(photographs, name) for name in table["image"].to_pylist()]
    expected = np.stack([row.keypoints for row in detect(photographs, sources)[0]])
    np.testing.assert_array_equal(to_arrays(table).keypoints, expected)
    failures = pq.read_table(tmp_path / "out" / "failures.parquet").to_pylist()
    assert failures == [{"image": "ü/3.jpg", "reason": "not an image: ü"}]
    assert sorted(os.listdir(tmp_path / "out")) == [
        "failures.parquet",
        "manifest.json",
        *(f"part-0000{number}.parquet" for number in range(4)),
    ]


def test_the_manifest_counts(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.images, manifest.rows, manifest.failures) == (7, 6, 1)
    assert [shard.images for shard in manifest.shards] == [2, 2, 2, 1]
    assert [shard.rows for shard in manifest.shards] == [2, 1, 2, 1]
    assert manifest.provenance == SLIM


def test_a_second_run_writes_no_shard_and_the_same_bytes(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    before = contents(tmp_path / "out")
    assert detect_all(photographs, tmp_path / "out", SLIM) == []
    assert contents(tmp_path / "out") == before
    detect_all(photographs, tmp_path / "other", SLIM)
    assert contents(tmp_path / "other") == before


@pytest.mark.parametrize(
    "provenance",
    [
        Provenance("openpose", "aa", {"scales": [1.0]}, "cc"),
        Provenance("slim", "bb", {"scales": [1.0]}, "cc"),
        Provenance("slim", "aa", {"scales": [0.5, 1.0]}, "cc"),
        Provenance("slim", "aa", {"scales": [1.0]}, "dd"),
        Provenance("slim", "aa", {"scales": [1.0]}, "cc", version="0.0.0"),
    ],
    ids=["detector", "weights", "parameters", "code", "version"],
)
def test_shards_of_another_making_are_stale(photographs: Path, tmp_path: Path, provenance: Provenance) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    assert detect_all(photographs, tmp_path / "out", provenance) == [0, 1, 2, 3]
    assert read_keypoints(tmp_path / "out").schema.metadata == provenance.as_metadata()


def test_a_changed_image_makes_its_shard_stale_and_no_other(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    before = read_manifest(tmp_path / "out")
    times = os.stat(photographs / "ü/4.jpg")
    (photographs / "ü/4.jpg").write_bytes(b"image X")  # as long as before, and of the same time
    os.utime(photographs / "ü/4.jpg", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert detect_all(photographs, tmp_path / "out", SLIM) == [2]
    after = read_manifest(tmp_path / "out")
    assert after.digest != before.digest
    assert after.shards[1] == before.shards[1]


def test_a_mended_image_is_tried_again(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    (photographs / "ü/3.jpg").write_bytes(b"image 3")
    assert detect_all(photographs, tmp_path / "out", SLIM) == [1]
    assert len(read_keypoints(tmp_path / "out")) == 7
    assert len(pq.read_table(tmp_path / "out" / "failures.parquet")) == 0


def test_fewer_images_leave_no_surplus_shard(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    for number in (4, 5, 6):
        (photographs / f"ü/{number}.jpg").unlink()
    assert detect_all(photographs, tmp_path / "out", SLIM) == []
    assert len(read_keypoints(tmp_path / "out")) == 3
    assert not (tmp_path / "out" / "part-00002.parquet").exists()


def test_other_shard_sizes_give_the_same_rows(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM, shard_size=2)
    before = read_keypoints(tmp_path / "out")
    assert detect_all(photographs, tmp_path / "out", SLIM, shard_size=100) == [0]
    assert read_keypoints(tmp_path / "out").equals(before)


def test_no_hand_anywhere(tmp_path: Path) -> None:
    store = ShardStore(tmp_path / "out", SLIM)
    with store.writing():
        store.write(0, [Source("a.jpg", 1, "aa")], [], [])
        store.finish(1)
    assert len(read_keypoints(tmp_path / "out")) == 0


def test_an_unreadable_file_has_a_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(tmp_path, "missing.jpg") == Source("missing.jpg", 0, "")


@pytest.mark.parametrize("damage", ["cut", "changed", "replaced", "emptied"])
def test_a_damaged_shard_is_written_anew(photographs: Path, tmp_path: Path, damage: str) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    whole = contents(tmp_path / "out")
    path = tmp_path / "out" / "part-00001.parquet"
    data = bytearray(path.read_bytes())
    data[40] ^= 255
    broken = {"cut": data[:-30], "changed": data, "replaced": b"text", "emptied": b""}
    path.write_bytes(bytes(broken[damage]))
    assert detect_all(photographs, tmp_path / "out", SLIM) == [1]
    assert contents(tmp_path / "out") == whole


def test_shards_that_others_wrote_are_not_finished(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    path = tmp_path / "out" / "part-00000.parquet"
    table = pq.read_table(path)
    store = ShardStore(tmp_path / "out", SLIM)
    sources = [fingerprint(photographs, f"ü/{number}.jpg") for number in (0, 1)]
    assert store.is_finished(0, sources)
    assert not store.is_finished(0, sources[::-1])
    pq.write_table(table.replace_schema_metadata(None), path)
    assert not store.is_finished(0, sources)
    pq.write_table(table.drop_columns(["box"]), path)
    assert not store.is_finished(0, sources)


def test_writing_checks_rows_against_the_sources(tmp_path: Path, photographs: Path) -> None:
    store = ShardStore(photographs, SLIM)
    sources = [fingerprint(photographs, "ü/0.jpg")]
    rows, _ = detect(photographs, sources)
    with pytest.raises(ValueError, match="not among the images of this shard"):
        store.write(0, [], rows, [])
    with pytest.raises(ValueError, match="not among the images of this shard"):
        store.write(0, sources, rows, [Failure("ü/1.jpg", "why")])
    with pytest.raises(ValueError, match="both keypoints and a failure"):
        store.write(0, sources, rows, [Failure("ü/0.jpg", "why")])
    (photographs / "ü/0.jpg").write_bytes(b"another image")
    with pytest.raises(DataError, match="changed while it was being processed"):
        store.write(0, [fingerprint(photographs, "ü/0.jpg")], rows, [])


def test_a_run_with_a_hole_does_not_finish(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    with ShardStore(tmp_path / "out", SLIM).writing(), pytest.raises(DataError, match=r"part-00004.*missing"):
        ShardStore(tmp_path / "out", SLIM).finish(5)
    other = ShardStore(tmp_path / "out", Provenance("slim", "bb", {}, "cc"))
    with other.writing(), pytest.raises(DataError, match="other parameters"):
        other.finish(4)
    with pytest.raises(DataError, match="not complete"):
        read_keypoints(tmp_path / "out")


def test_manifests_compare_by_value(photographs: Path, tmp_path: Path) -> None:
    detect_all(photographs, tmp_path / "out", SLIM)
    manifest = read_manifest(tmp_path / "out")
    manifest.write(tmp_path)
    assert read_manifest(tmp_path) == manifest
