"""What stands in an export's way, and what one that broke off leaves."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2hand.datasets.exports import FORMATS, export_keypoints
from s2hand.datasets.files import DataError


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_there_is_replaced_on_request_only(collection, tmp_path, name):
    out = tmp_path / "below" / "out"
    export_keypoints(collection.shards, out, name)
    first = contents(out)
    with pytest.raises(DataError, match=r"out: is there already; give another --out, or replace it with --overwrite"):
        export_keypoints(collection.shards, out, name)
    (out / "old_keypoints.json" if out.is_dir() else out).write_text("old")
    export_keypoints(collection.shards, out, name, overwrite=True)
    assert contents(out) == first
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def contents(out: Path) -> dict[str, bytes]:
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    return {str(path): path.read_bytes() for path in files}


def test_a_folder_of_other_things_is_never_replaced(collection, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(DataError, match=r"thesis\.tex: not of an earlier export"):
        export_keypoints(collection.shards, tmp_path / "mine", "openpose-json", overwrite=True)
    with pytest.raises(DataError, match="is a folder; this format writes a file"):
        export_keypoints(collection.shards, tmp_path / "mine", "csv", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file; this format writes a folder"):
        export_keypoints(collection.shards, tmp_path / "file", "openpose-json", overwrite=True)
    with pytest.raises(DataError, match="file: is a file or below one"):
        export_keypoints(collection.shards, tmp_path / "file" / "out", "csv")
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_an_earlier_export_comes_back_if_the_new_one_cannot_take_its_place(collection, tmp_path, monkeypatch):
    out, rename = tmp_path / "below" / "labels", os.rename
    export_keypoints(collection.shards, out, "openpose-json")
    before = contents(out)

    def full(source: Path, target: Path) -> None:
        if target == out and ".old" not in source.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        export_keypoints(collection.shards, out, "openpose-json", overwrite=True)
    assert contents(out) == before
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_breaks_off_leaves_nothing(collection, tmp_path, name):
    (collection.shards / "part-00001.parquet").write_bytes(b"altered")
    with pytest.raises(DataError, match="altered after the run ended"):
        export_keypoints(collection.shards, tmp_path / "new" / "out", name)
    assert list((tmp_path / "new").iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from s2hand.datasets.exports import export_keypoints
end = lambda done, total: done and os._exit(9)
export_keypoints(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], progress=end)
"""


@pytest.mark.parametrize("name", ["csv", "openpose-json"])
def test_the_next_export_removes_what_a_killed_one_left(collection, tmp_path, name):
    """Of its own name only; an earlier export that was put aside goes once the new one stands."""
    out = tmp_path / "new" / "a[b]"
    command = [sys.executable, "-c", KILLED, str(collection.shards), str(out), name]
    assert subprocess.run(command).returncode == 9
    (left,) = out.parent.iterdir()
    aside = out.parent / ".a[b].old01234567.partial"
    aside.mkdir()
    others = [".a.01234567.partial", ".ab.01234567.partial", ".a[b].c.01234567.partial", "a[b].01234567.partial"]
    others += [".a[b].partial", ".a[b].012345678.partial", ".a[b].01234567.partial.txt"]
    for other in others:
        (out.parent / other).write_text("another's")
    with pytest.raises(RuntimeError):
        export_keypoints(collection.shards, out, name, progress=_broken)
    assert not left.exists()
    assert aside.exists()
    export_keypoints(collection.shards, out, name)
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([*others, "a[b]"])


def _broken(done: int, total: int) -> None:
    raise RuntimeError("broken off")
