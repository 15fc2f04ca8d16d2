"""Find and decode photographs."""

import functools
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


class ImageError(DataError):
    """An image file can't be read; the message names it and says why."""


def list_images(folder: Path) -> list[str]:
    """Find the images in a folder and below: sorted paths relative to it, with `/` separators.

    An image is a file whose name ends in .jpg .jpeg .png .webp .bmp .tif .tiff in any case; hidden files and
    folders are passed over (the copies `._x.jpg` that macOS leaves are no images), linked folders are
    followed.

    Raises:
        DataError: the folder is missing, a file, unreadable, or holds no image; or a name is not UTF-8.
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file; expected a folder of images")
    found: list[str] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_cannot_list):
        real = os.path.realpath(parent)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(parent, name) for name in names if _is_image(name)]
    if not found:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{folder}: holds no image ({kinds})")
    relative = [Path(path).relative_to(folder).as_posix() for path in found]
    for name in relative:
        _check_utf8(folder, name)
    return sorted(relative)


def _cannot_list(error: OSError) -> None:
    raise DataError(f"{error.filename}: can't be listed: {error.strerror}") from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _check_utf8(folder: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{folder}: the file name {os.fsencode(name)!r} is not UTF-8; rename the file") from None


def read_image(path: Path) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    """Read and decode an image file: see `decode_image`.

    Raises:
        ImageError: the file is missing, unreadable, or not a whole image.
    """
    return decode_image(read_image_bytes(path), str(path))


def read_image_bytes(path: Path) -> bytes:
    """Read an image file's bytes, for who needs their digest too; `ImageError` if that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: can't be read: {error.strerror}") from error


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    """Decode an image file's bytes to 8-bit RGB, upright: the orientation that EXIF states is applied.

    Grey and CMYK become RGB, 16 bits become 8, transparency is dropped (that of a TIFF becomes black).

    Raises:
        ImageError: not an image, an unknown kind, or cut short; the message begins with `name`.
    """
    if not data:
        raise ImageError(f"{name}: the file is empty")
    _silence_decoder()
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except (cv2.error, MemoryError) as error:
        raise ImageError(f"{name}: can't be decoded ({' '.join(str(error).split())})") from error
    if image is None:
        raise ImageError(f"{name}: not an image of a known kind, or cut short ({len(data)} bytes)")
    upright: NDArray[np.uint8] = image
    return upright


@functools.cache
def _silence_decoder() -> None:
    # OpenCV prints several lines of its own per broken file; we report each one once, as an ImageError.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
