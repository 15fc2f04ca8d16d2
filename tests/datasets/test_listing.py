"""Images and frames, listed and read by name."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets import listing
from s2hand.datasets.files import DataError, sha256_file
from s2hand.datasets.image_files import ImageError
from s2hand.datasets.images import read_image
from s2hand.datasets.listing import item_identity, list_items, read_item

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_video: Write, write_image: Write) -> Path:
    write_image(tmp_path / "b.png")
    write_image(tmp_path / "a#1.jpg")
    write_image(tmp_path / "sub" / "c.webp", (30, 50))
    write_video(tmp_path / "sub" / "clip.mov", 5)
    (tmp_path / "broken.mp4").write_bytes(b"")
    (tmp_path / "clip.txt").write_bytes(b"")
    (tmp_path / ".hidden.mp4").write_bytes(b"")
    return tmp_path


def test_a_folder_holds_images_and_frames(folder: Path) -> None:
    found = list_items(folder, every=2)
    frames = [f"sub/clip.mov#00000{frame}" for frame in (0, 2, 4)]
    assert found.root == folder
    assert found.names == ["a#1.jpg", "b.png", "broken.mp4#000000", "sub/c.webp", *frames]
    for name in found.names:
        if name != "broken.mp4#000000":
            np.testing.assert_array_equal(read_item(folder, name).decode(), read_image(folder / name))


@pytest.mark.parametrize(
    ("file", "names"), [("b.png", ["b.png"]), ("sub/clip.mov", ["clip.mov#000000", "clip.mov#000004"])]
)
def test_one_file(folder: Path, file: str, names: list[str]) -> None:
    found = list_items(folder / file, every=4)
    assert (found.root, found.names) == ((folder / file).parent, names)


def test_what_can_not_be_listed(folder: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list_items(folder / "missing")
    with pytest.raises(DataError, match=r"clip\.txt: expected a folder, an image or a video \(\.avi \.bmp"):
        list_items(folder / "clip.txt")
    (folder / "none").mkdir()
    with pytest.raises(DataError, match="holds no image or video"):
        list_items(folder / "none")


def test_identity_is_that_of_the_file(folder: Path) -> None:
    for name, file in {"b.png": "b.png", "sub/clip.mov#000003": "sub/clip.mov"}.items():
        expected = ((folder / file).stat().st_size, sha256_file(folder / file))
        item = read_item(folder, name)
        assert (item.size, item.sha256) == expected
        assert item_identity(folder, name) == expected


def test_size_and_reduced_decoding(folder: Path) -> None:
    for name, size in {"sub/c.webp": (50, 30), "sub/clip.mov#000003": (96, 64)}.items():
        item = read_item(folder, name)
        assert item.image_size() == size
        assert item.decode(4).shape == (-(-size[1] // 4), -(-size[0] // 4), 3)


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe.jpg": (os.mkfifo, "is a pipe, socket or device; expected a file"),
    "link.jpg": (lambda path: path.symlink_to("gone"), "can't be read: a link to 'gone': No such file or directory"),
    "missing.jpg": (lambda path: None, "can't be read: No such file or directory"),
    "missing.mp4#000000": (lambda path: None, "can't be read: No such file or directory"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_gives_its_reason_on_decoding(folder: Path, name: str) -> None:
    make, reason = UNREADABLE[name]
    make(folder / name)
    item = read_item(folder, name)
    assert (item.size, item.sha256) == (0, "") == item_identity(folder, name)
    with pytest.raises(ImageError) as caught:
        item.decode()
    assert (caught.value.name, caught.value.reason) == (name, reason)


def test_a_video_that_can_not_be_read_through_gives_its_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(version: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(listing, "video_sha256", denied)
    item = read_item(folder, "sub/clip.mov#000000")
    assert (item.size, item.sha256) == (0, "") == item_identity(folder, item.name)
    with pytest.raises(ImageError, match=r"^sub/clip\.mov#000000: can't be read: Permission denied$"):
        item.decode()


def test_a_broken_file_has_an_identity_and_a_reason(folder: Path) -> None:
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "no.jpg").write_bytes(b"no image")
    for name, reason in {
        "empty.jpg": "the file is empty",
        "no.jpg": "not an image of a known kind, or cut short (8 bytes)",
        "broken.mp4#000000": "not a video of a known kind, or cut short",
        "sub/clip.mov#000005": "there is no such frame; the video has 5, from 0",
    }.items():
        item = read_item(folder, name)
        path = folder / name.partition("#")[0]
        assert (item.size, item.sha256) == item_identity(folder, name) == (path.stat().st_size, sha256_file(path))
        with pytest.raises(ImageError) as caught:
            item.decode()
        assert caught.value.name == name
        assert caught.value.reason.startswith(reason)


def test_names_that_are_not_utf8(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.mp4")).write_bytes(b"x")
    assert r"\xff.mp4#000000" in list_items(folder).names
    with pytest.raises(ImageError, match="not UTF-8; rename the file"):
        read_item(folder, r"\xff.mp4#000000").decode()
