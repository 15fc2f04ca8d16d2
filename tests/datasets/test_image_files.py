"""Names that are no text, and files that are no files."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from s2hand.datasets.files import DataError
from s2hand.datasets.image_files import MAX_BYTES, ImageError, ImageMemoryError, find_files, read_image_bytes
from s2hand.datasets.images import list_images, read_image


@pytest.mark.parametrize("raw", [b"\xff.jpg", b"a\xe4 b.jpg", b"folder \xfc/c.jpg", b"\xf0\x9f.jpg"])
def test_a_name_that_is_not_utf8_is_listed_and_fails_with_advice(tmp_path: Path, raw: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    (tmp_path / "good.jpg").write_bytes(b"x")
    names = list_images(tmp_path)
    assert len(names) == 2
    (name,) = set(names) - {"good.jpg"}
    assert name == raw.decode("utf-8", "backslashreplace")
    name.encode()
    with pytest.raises(ImageError, match="the file's name is not UTF-8; rename the file") as caught:
        read_image(tmp_path / name)
    assert caught.value.name == str(tmp_path / name)


def test_a_name_with_backslashes_is_a_name(tmp_path: Path) -> None:
    (tmp_path / r"\xff.jpg").write_bytes(b"x")
    assert list_images(tmp_path) == [r"\xff.jpg"]
    assert read_image_bytes(tmp_path / r"\xff.jpg") == b"x"
    with pytest.raises(ImageError, match="No such file"):
        read_image_bytes(tmp_path / r"\xfe.jpg")


def make_socket(path: Path) -> None:
    handle = socket.socket(socket.AF_UNIX)
    handle.bind(str(path))
    handle.close()


def make_circle(path: Path) -> None:
    path.symlink_to(path)


def make_long(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (os.mkfifo, "is a pipe, socket or device; expected a file"),
    "socket": (make_socket, "is a pipe, socket or device; expected a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a pipe, socket or device; expected a file"),
    "broken link": (
        lambda path: path.symlink_to("gone.jpg"),
        "can't be read: a link to 'gone.jpg': No such file or directory",
    ),
    "link to itself": (make_circle, "can't be read: a link to .*: Too many levels of symbolic links"),
    "too long": (make_long, f"{MAX_BYTES + 1} bytes: expected an image of at most {MAX_BYTES}"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_can_not_be_read_is_listed_and_fails_at_once(kind: str, tmp_path: Path, monkeypatch) -> None:
    make, reason = UNREADABLE[kind]
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    make(Path("a.jpg"))
    assert list_images(tmp_path) == ["a.jpg"]
    with pytest.raises(ImageError, match=f"^{tmp_path / 'a.jpg'}: {reason}$"):
        read_image(tmp_path / "a.jpg")


def test_a_file_without_permission_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.geteuid() == 0:  # who may read everything: have the system say it

        def denied(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(ImageError, match=r"can't be read: Permission denied$"):
        read_image(path)


def test_a_folder_that_can_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passed over in silence, its images would be missed in no result."""

    def denied(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(DataError, match=f"^{tmp_path}: can't be listed: Permission denied$"):
        find_files(tmp_path, {".jpg"}, "image")


def test_folders_with_the_name_of_an_image_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").mkdir()
    (tmp_path / "x.jpg" / "y.png").write_bytes(b"x")
    assert find_files(tmp_path, {".jpg", ".png"}, "image") == ["x.jpg/y.png"]


@pytest.mark.parametrize("shortage", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")])
def test_a_shortage_of_memory_while_reading_is_told_apart(
    tmp_path: Path, shortage: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bytes:
        raise shortage

    (tmp_path / "a.jpg").write_bytes(b"x")
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ImageMemoryError, match="not enough memory to decode it") as caught:
        read_image_bytes(tmp_path / "a.jpg")
    assert caught.value.name == str(tmp_path / "a.jpg")
