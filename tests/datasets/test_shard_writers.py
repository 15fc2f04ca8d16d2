"""Who writes into a folder of shards: one run at a time; what was killed leaves whole shards, and no half ones."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from s2hand.datasets import read_keypoints
from s2hand.datasets.files import DataError
from s2hand.datasets.shards import ShardStore, Source
from tests.datasets.helpers.runs import SLIM, contents, detect_all

RUN = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from tests.datasets.helpers.runs import SLIM, detect_all
print("started", flush=True)
detect_all(Path(sys.argv[1]), Path(sys.argv[2]), SLIM)
"""


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    store = ShardStore(tmp_path / "out", SLIM)
    with store.writing():
        with pytest.raises(DataError, match="another run is writing here"), store.writing():
            pass
        assert store.folder.is_dir()
    with store.writing():
        pass
    assert os.listdir(store.folder) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with ShardStore(tmp_path / "out", SLIM).writing():
        assert (tmp_path / "out").is_dir()


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    for path in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(DataError, match="expected a folder"), ShardStore(path, SLIM).writing():
            pass


def test_a_worker_that_was_killed_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    store = ShardStore(tmp_path / "out", SLIM)
    with store.writing():
        (tmp_path / "out" / ".part-00000.parquet.0123.partial").write_bytes(b"PAR1")
        store.write(0, [Source("a.jpg", 1, "aa")], [], [])
        store.finish(1)
    assert not [name for name in contents(tmp_path / "out") if name.endswith(".partial")]


def test_a_killed_run_leaves_whole_shards_and_is_resumed(tmp_path: Path) -> None:
    """A real process, killed by a real signal, twice, at other moments."""
    root, out = tmp_path / "photographs", tmp_path / "out"
    root.mkdir()
    for number in range(60):
        (root / f"{number:03d}.jpg").write_bytes(b"image %d" % number)
    detect_all(root, tmp_path / "undisturbed", SLIM)
    command = [sys.executable, "-c", RUN, str(root), str(out), str(Path(__file__).parents[2])]
    seen, generator = 0, random.Random(3)
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            wait_for_shards(out, seen + generator.randint(1, 8), process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        with pytest.raises(DataError, match="not complete"):
            read_keypoints(out)
        shards = sorted(out.glob("part-*.parquet"))
        assert all(pq.read_table(path).num_rows == 2 for path in shards)
        assert len(shards) > seen
        seen = len(shards)
    assert len(detect_all(root, out, SLIM)) == 30 - seen
    assert contents(out) == contents(tmp_path / "undisturbed")


def wait_for_shards(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while len(list(out.glob("part-*.parquet"))) < count:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
