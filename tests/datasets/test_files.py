import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2hand.datasets.files import (
    DataError,
    digest,
    read_json,
    remove_partial_files,
    replacing,
    sha256_bytes,
    sha256_file,
    source_digest,
    write_json,
)

KILLED_WRITER = """
import sys, time
from pathlib import Path
from s2hand.datasets.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    with open(temporary, "w") as file:
        file.write("half of the new")
        file.flush()
        print("writing", flush=True)
        time.sleep(60)
"""


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_says_which_file_it_met(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_a_killed_writer_leaves_the_old_file_and_a_leftover_that_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with subprocess.Popen([sys.executable, "-c", KILLED_WRITER, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    assert len(remove_partial_files(tmp_path)) == 1
    assert os.listdir(tmp_path) == ["a.txt"]


def test_digests(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1, "b": [1, 2]}) != digest({"a": 1, "b": [2, 1]})
    assert digest("é") != digest("e")


def test_the_digest_of_code_follows_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_code" / "below"
    package.mkdir(parents=True)
    (tmp_path / "some_code" / "__init__.py").write_text("")
    (package / "a.py").write_text("A = 1")
    monkeypatch.syspath_prepend(tmp_path)
    before = source_digest("some_code")
    (package / "notes.txt").write_text("not code")
    assert source_digest("some_code") == before
    (package / "a.py").write_text("A = 2")
    assert source_digest("some_code") != before
    assert source_digest("some_code", "s2hand.datasets") != source_digest("s2hand.datasets")


def test_json_there_and_back(tmp_path: Path) -> None:
    value = {"ä": [1, 2.5, None, True], "b": {"c": "d\n"}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert "ä" in (tmp_path / "a.json").read_text("utf-8")


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1,}', b"\xff\xfe\x00"])
def test_broken_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")


def test_missing_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: no such file"):
        read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="can't be read"):
        read_json(tmp_path)
