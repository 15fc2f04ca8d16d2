"""What a run works on, by name below a root: image files, and frames of video files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, sha256_bytes, sha256_file
from s2hand.datasets.image_files import (
    MAX_BYTES,
    ImageError,
    find_files,
    has_suffix,
    kinds,
    read_image_bytes,
    regular_file,
)
from s2hand.datasets.images import IMAGE_SUFFIXES, decode_image, image_size, reduce_image
from s2hand.datasets.video_index import file_version
from s2hand.datasets.videos import VIDEO_SUFFIXES, find_frame, frame_names, read_frame, video_sha256


@dataclass(frozen=True)
class Listing:
    """Names of images and frames, sorted, and the folder that they are relative to."""

    root: Path
    names: Sequence[str]


def list_items(source: Path, every: int = 1) -> Listing:
    """List a folder's images, and every n-th frame of its videos, recursively; or one image or video file.

    Names are relative to the folder, or to the folder of the one file, with `/` separators; as in `list_images`, and
    `clip.mp4#000123` for frames.

    Raises:
        DataError: the folder is missing, unreadable or holds neither; the file is neither.
        ValueError: `every` is below 1.
    """
    source = Path(source)
    if source.is_dir() or not os.path.lexists(source):
        files, root = find_files(source, IMAGE_SUFFIXES | VIDEO_SUFFIXES, "image or video"), source
    elif has_suffix(source.name, IMAGE_SUFFIXES | VIDEO_SUFFIXES):
        files, root = [source.name], source.parent
    else:
        readable = kinds(IMAGE_SUFFIXES | VIDEO_SUFFIXES)
        raise DataError(f"{source}: expected a folder, an image or a video ({readable})")
    names: set[str] = set()
    for file in files:
        path = PurePosixPath(file)
        if path.suffix.lower() in VIDEO_SUFFIXES:
            names.update(path.with_name(frame).as_posix() for frame in frame_names(root / file, every))
        else:
            names.add(file)
    return Listing(root, sorted(names))


@dataclass(frozen=True, eq=False)
class Item:
    """An image file, read, or a frame of a video file; the file that it comes from; not yet decoded."""

    name: str
    size: int  # of the file, in bytes; 0 if it can't be read
    sha256: str  # of the file's bytes, in hex; empty if it can't be read
    data: bytes | None = None  # of an image file
    frame: tuple[Path, int] | None = None
    problem: str = ""  # why the file can't be read

    def decode(self, reduce: int = 1) -> NDArray[np.uint8]:  # [H, W, 3] RGB, upright
        """Decode the image, as `decode_image` and its `reduce`; `ImageError` with `reason` if that fails."""
        if self.data is not None:
            return decode_image(self.data, self.name, reduce)
        if self.frame is None:
            raise ImageError(self.name, self.problem)
        try:
            image = read_frame(*self.frame)
        except ImageError as error:
            raise ImageError(self.name, error.reason) from error
        return image if reduce == 1 else reduce_image(image, reduce)

    def image_size(self) -> tuple[int, int]:
        """Width and height of the upright image, from the header alone; a frame is decoded for it.

        Raises:
            ImageError: as `decode`, as far as the header tells.
        """
        if self.data is not None:
            return image_size(self.data, self.name)
        height, width = self.decode().shape[:2]
        return width, height


def read_item(root: Path, name: str) -> Item:
    """Read the image file, or find the frame, of that name; one that can't be read gives its problem, no exception.

    Safe to call from many threads; frames are fastest in order.
    """
    path = Path(root) / name
    frame = find_frame(path)
    try:
        if frame is not None:
            size, sha256 = _video_identity(frame[0])
            return Item(name, size, sha256, frame=frame)
        data = read_image_bytes(path)
    except ImageError as error:
        return Item(name, 0, "", problem=error.reason)
    return Item(name, len(data), sha256_bytes(data), data)


def item_identity(root: Path, name: str) -> tuple[int, str]:
    """Size and SHA-256 of the file that an image or frame comes from, as in `read_item`: 0 and "" if it can't be read.

    An image file is read for it, a video file once for all its frames.
    """
    path = Path(root) / name
    frame = find_frame(path)
    try:
        if frame is not None:
            return _video_identity(frame[0])
        size = regular_file(path).st_size
        return (size, sha256_file(path)) if size <= MAX_BYTES else (0, "")
    except (ImageError, OSError):
        return 0, ""


def _video_identity(path: Path) -> tuple[int, str]:
    version = file_version(path)
    try:
        return version[1], video_sha256(version)
    except OSError as error:
        raise ImageError(str(path), f"can't be read: {error.strerror}") from error
