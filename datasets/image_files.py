"""Files that may be images: found below a folder, opened with care, and named in UTF-8 whatever their names are.

A file name is bytes; ours are text. One that is not UTF-8 is shown with each wrong byte as `\\xff`, as Python writes
it; such a file is listed, so that it is not silently missing, but not read: nobody else could name it in a result.
"""

import errno
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from s2hand.datasets.files import DataError

MAX_BYTES = 2 << 30
"""Larger image files are refused unread: they are no photographs."""

MAX_PIXELS = 250_000_000
"""Larger images are refused before they are decoded; the largest cameras of telephones have 200 million pixels."""

UNREAD_SUFFIXES = frozenset({".heic", ".heif", ".avif"})
"""What telephones write and nothing here decodes: such files are listed, so that they are not silently missing."""


class ImageError(DataError):
    """An image can't be read: `name` says which, `reason` why, in one line."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class ImageMemoryError(ImageError):
    """There was not enough memory for an image: nothing is wrong with it, and later there may be."""

    def __init__(self, name: str, reason: str = "not enough memory to decode it") -> None:
        super().__init__(name, reason)


def find_files(folder: Path, suffixes: Collection[str], what: str) -> list[str]:
    """Find the files in a folder and below whose name ends in one of `suffixes`, in any case.

    Returns sorted paths relative to the folder, with `/` separators, in UTF-8 (see above). Hidden files and folders
    are passed over, so are folders with such a name; linked folders are followed; a broken link, a pipe or a socket
    with such a name is found, and reading it gives the reason.

    Raises:
        DataError: the folder is missing, a file, unreadable, or holds none (`what`, in one word).
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file; expected a folder of images")
    found: set[str] = set()
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_cannot_list):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(parent).relative_to(folder).as_posix()
        start = "" if below == "." else f"{below}/"
        found.update(_utf8(start + name) for name in names if has_suffix(name, suffixes))
    if not found:
        raise DataError(f"{folder}: holds no {what} ({kinds(suffixes)})")
    return sorted(found)


def kinds(suffixes: Collection[str]) -> str:
    """Return the suffixes of files that are read, for messages."""
    return " ".join(sorted(set(suffixes) - UNREAD_SUFFIXES))


def has_suffix(name: str, suffixes: Collection[str]) -> bool:
    """Whether a file's name ends in one of `suffixes` and is not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes


def regular_file(path: Path) -> os.stat_result:
    """Return the status of a file that can be opened and read to its end: no folder, pipe, socket or device.

    Raises:
        ImageError: it is none, or missing; the message begins with `path`.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise ImageError(str(path), _why_missing(path, error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(str(path), "is a folder; expected a file")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(str(path), "is a pipe, socket or device; expected a file")
    return status


def read_image_bytes(path: Path) -> bytes:
    """Read an image file's bytes, for who needs their digest too; `ImageError` if that fails."""
    size = regular_file(path).st_size
    if size > MAX_BYTES:
        raise ImageError(str(path), f"{size} bytes: expected an image of at most {MAX_BYTES}")
    try:
        return Path(path).read_bytes()
    except MemoryError as error:
        raise ImageMemoryError(str(path)) from error
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise ImageMemoryError(str(path)) from error
        raise ImageError(str(path), f"can't be read: {error.strerror}") from error


def _cannot_list(error: OSError) -> None:
    raise DataError(f"{error.filename}: can't be listed: {error.strerror}") from error


def _utf8(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _why_missing(path: Path, error: OSError) -> str:
    if os.path.islink(path):
        return f"can't be read: a link to {os.readlink(path)!r}: {error.strerror}"
    # Undoes `_utf8`: a file that is there only under the name with the wrong bytes.
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), os.fsencode(path))
    if os.path.lexists(raw):
        return "the file's name is not UTF-8; rename the file"
    return f"can't be read: {error.strerror}"
