"""Find and decode photographs."""

import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import one_line
from s2hand.datasets.image_files import (
    MAX_PIXELS,
    UNREAD_SUFFIXES,
    ImageError,
    ImageMemoryError,
    find_files,
    read_image_bytes,
)
from s2hand.datasets.image_header import ImageHeader, read_header
from s2hand.datasets.videos import find_frame, read_frame

__all__ = [
    "IMAGE_SUFFIXES",
    "ImageError",
    "decode_image",
    "image_size",
    "list_images",
    "read_image",
]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}) | UNREAD_SUFFIXES

# How to mirror what has an Exif orientation, after swapping the axes from 5 on: 1 left-right, 0 up-down, -1 both.
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
_PHONE_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"})  # of the container of HEIC and AVIF
_NO_MEMORY = ("Insufficient memory", "bad_alloc")
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def list_images(folder: Path) -> list[str]:
    """Find the images in a folder and below: sorted paths relative to it, with `/` separators.

    An image is a file whose name ends in one of `IMAGE_SUFFIXES`, in any case; hidden files and folders are passed
    over (the copies `._x.jpg` that macOS leaves are no images), linked folders are followed. A name that is not UTF-8
    is given with `\\xff` for each wrong byte; reading it says what to do.

    Raises:
        DataError: the folder is missing, a file, unreadable, or holds no image.
    """
    return find_files(folder, IMAGE_SUFFIXES, "image")


def read_image(path: Path) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    """Read and decode an image file (see `decode_image`), or a frame of a video: `clip.mp4#000123`.

    Raises:
        ImageError: the file is missing, unreadable, or not a whole image; the video has no such frame.
    """
    frame = find_frame(Path(path))
    return decode_image(read_image_bytes(path), str(path)) if frame is None else read_frame(*frame)


def decode_image(data: bytes, name: str, reduce: int = 1) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    """Decode an image file's bytes to 8-bit RGB, upright: the orientation that EXIF states is applied.

    Grey and CMYK become RGB, 16 bits become 8, transparency is dropped (that of a TIFF becomes black); of several
    pictures in one file the first is taken.

    `reduce` (1, 2, 4 or 8) gives the image at a half, a quarter or an eighth of its size, see `reduce_image`; for a
    JPEG that is several times faster than decoding all of it.

    Raises:
        ImageError: not an image, an unknown kind, cut short, or of more than MAX_PIXELS; the message begins with
            `name`.
        ImageMemoryError: there was not enough memory for it; later there may be.
    """
    header = _header(data, name)
    _silence_decoder()
    try:
        return _decode(data, name, header, reduce)
    except (cv2.error, MemoryError) as error:
        if _is_memory_error(error):
            raise ImageMemoryError(name) from error
        raise ImageError(name, f"can't be decoded ({one_line(error)})") from error


def _decode(data: bytes, name: str, header: ImageHeader, reduce: int) -> NDArray[np.uint8]:  # [H, W, 3] RGB
    early = reduce > 1 and header.kind == "jpeg" and _keeps_the_grid(header, reduce)
    how = _REDUCED[reduce] if early else cv2.IMREAD_COLOR_RGB
    image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), how | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        _need_memory(header)
        raise ImageError(name, _unknown(data))
    if early:  # there is no reading of reduced RGB
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if header.kind != "tiff":  # libtiff turns the picture unasked
        image = _turn(image, header.orientation)
    expected = tuple(-(-side // reduce) if early else side for side in header.upright_size)
    if image.shape[1::-1] != expected:
        found = f"{image.shape[1]} x {image.shape[0]} pixels"
        raise ImageError(name, f"decodes to {found}; expected {expected[0]} x {expected[1]} by the file's header")
    return image if early or reduce == 1 else reduce_image(image, reduce)


def _need_memory(header: ImageHeader) -> None:
    """Raise MemoryError where the picture does not fit twice: OpenCV may have kept silent about just that."""
    np.empty((2, header.height, header.width, 3), np.uint8)


def _turn(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:  # [H, W, 3] -> [H, W, 3] or [W, H, 3]
    """Bring a picture upright, as Exif's orientation says: ours, not the decoder's, which takes odd tags otherwise."""
    if orientation >= 5:
        image = cv2.transpose(image)  # type: ignore[assignment]
    flip = _FLIPS.get(orientation)
    return image if flip is None else cv2.flip(image, flip)  # type: ignore[return-value]


def _is_memory_error(error: cv2.error | MemoryError) -> bool:
    if isinstance(error, MemoryError):
        return True
    return getattr(error, "code", None) == cv2.Error.StsNoMem or any(sign in str(error) for sign in _NO_MEMORY)


def reduce_image(image: NDArray[np.uint8], reduce: int) -> NDArray[np.uint8]:  # [H, W, 3] -> [H / reduce, ...]
    """Scale an image down by an integer: a point at x, y comes to x / reduce, y / reduce exactly.

    Each pixel is the mean of those that it covers; where a last column or row covers fewer, the image's edge goes on.
    """
    below, right = (-side % reduce for side in image.shape[:2])
    whole = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
    size = (whole.shape[1] // reduce, whole.shape[0] // reduce)
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def image_size(data: bytes, name: str = "image") -> tuple[int, int]:
    """Width and height in pixels of the image that `decode_image` would give, from the file's header alone.

    Raises:
        ImageError: as `decode_image`, as far as the header tells.
    """
    return _header(data, name).upright_size


def _header(data: bytes, name: str) -> ImageHeader:
    if not data:
        raise ImageError(name, "the file is empty")
    header = read_header(data)
    if header is None:
        raise ImageError(name, _unknown(data))
    if header.width * header.height > MAX_PIXELS:
        size = f"{header.width} x {header.height} pixels"
        raise ImageError(name, f"{size}: expected at most {MAX_PIXELS:,} in all; scale the image down")
    return header


def _keeps_the_grid(header: ImageHeader, reduce: int) -> bool:
    # A turned or mirrored image can have the pixels that cover fewer on the left or above: coordinates would shift.
    return header.orientation == 1 or (header.width % reduce == 0 and header.height % reduce == 0)


def _unknown(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in _PHONE_BRANDS:
        return "a HEIC or AVIF image, which is not read; convert it to JPEG, with its Exif"
    return f"not an image of a known kind, or cut short ({len(data)} bytes)"


@functools.cache
def _silence_decoder() -> None:
    # OpenCV prints several lines of its own per broken file; we report each one once, as an ImageError.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
