"""Videos as folders of frames: `clip.mp4#000123` names frame 123, counted from 0, in the order of showing.

A video that can't be read is a folder with one frame, `clip.mp4#000000`, that can't be read: so it is missed in no
result. A file that really has such a name is no frame.
"""

import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import sha256_file
from s2hand.datasets.image_files import ImageError
from s2hand.datasets.video_index import Version, file_version, index_video
from s2hand.datasets.video_reader import VideoReader

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})

MOST_OPEN = 2
"""Video files that are held open; one more closes that which was not used for longest."""

_FRAME = re.compile(
    rf"(.+(?:{'|'.join(map(re.escape, sorted(VIDEO_SUFFIXES)))}))#([0-9]{{6,}})", re.IGNORECASE | re.DOTALL
)
_HASHING = threading.Lock()  # so that threads which meet at a file read it once


def frame_names(path: Path, every: int = 1) -> Sequence[str]:
    """Name every n-th frame of a video file, from the first on, by the file's name: `clip.mp4#000123`.

    Six digits, or as many as the last frame needs, so that sorted names are in order.
    """
    path = Path(path)
    if every < 1:
        raise ValueError(f"every: expected 1 or more, found {every}")
    try:
        count = len(index_video(file_version(path)).shown)
    except ImageError:
        count = 1
    digits = max(6, len(str(count - 1)))
    return [f"{path.name}#{frame:0{digits}d}" for frame in range(0, count, every)]


def find_frame(path: Path) -> tuple[Path, int] | None:
    """Take the path of a frame apart into the video's path and the frame's number; None for other paths."""
    found = _FRAME.fullmatch(os.fspath(path))
    if found is None or os.path.lexists(path):
        return None
    return Path(found[1]), int(found[2])


def read_frame(path: Path, frame: int) -> NDArray[np.uint8]:  # [H, W, 3] RGB, upright
    """Decode a frame of a video file, counted from 0; fast if the frame before was read shortly before.

    Raises:
        ImageError: the video can't be read, has no such frame, or is damaged there.
    """
    with _READERS.borrow(file_version(path)) as reader:
        return reader.read(frame)


def video_sha256(version: Version) -> str:
    """SHA-256 of a video file's bytes, in hex, read once for all its frames; OSError if that fails."""
    with _HASHING:
        return _sha256(version)


@lru_cache(maxsize=4096)
def _sha256(version: Version) -> str:
    return sha256_file(Path(version[0]))


class _Readers:
    """The video files that are open. Files in use stay; of the others, those used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[Version, VideoReader] = {}  # the one used last stands last
        self._users: Counter[Version] = Counter()

    @contextmanager
    def borrow(self, version: Version) -> Iterator[VideoReader]:
        with self._lock:
            reader = self._readers.pop(version, None) or VideoReader(version)
            self._readers[version] = reader
            self._users[version] += 1
            idle = [known for known in self._readers if not self._users[known]]
            for known in idle[: max(0, len(self._readers) - MOST_OPEN)]:
                self._readers.pop(known).close()
        try:
            yield reader
        finally:
            with self._lock:
                self._users -= Counter([version])


_READERS = _Readers()
