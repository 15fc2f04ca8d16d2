"""What an image file says of itself before it is decoded: kind, size, orientation.

A file of some bytes can claim billions of pixels, and a decoder believes it; who asks first knows what he takes on.
Headers as in ITU-T T.81 (JPEG), the PNG and WebP specifications, the BITMAPINFOHEADER of BMP, TIFF 6.0 and Exif 2.3.
"""

import struct
from dataclasses import dataclass, field

from s2hand.datasets.tiff_tags import read_tags

_ORIENTATION = 0x0112  # a tag of Exif and TIFF
_WIDTH, _HEIGHT = 0x0100, 0x0101  # tags of TIFF
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 ... SOF15 of JPEG
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length


@dataclass(frozen=True)
class ImageHeader:
    """Kind and size as stored, and the Exif orientation, 1 to 8, that brings the picture upright."""

    kind: str  # jpeg, png, webp, bmp or tiff
    width: int
    height: int
    orientation: int = 1
    exif: bytes = field(default=b"", repr=False, compare=False)  # a TIFF structure; of a TIFF file, the file itself

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_header(data: bytes) -> ImageHeader | None:
    """Read the header of an image file's bytes, by content and not by name; None if it is none of the five kinds.

    A file that is visibly cut short gives None too: a header with a part missing, a PNG without its end.
    """
    try:
        header = _read_header(data)
    except (struct.error, IndexError):
        return None
    return header if header is not None and header.width > 0 and header.height > 0 else None


def _read_header(data: bytes) -> ImageHeader | None:
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:2] == b"BM":
        return _bmp(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        tags = read_tags(data)
        return ImageHeader("tiff", int(tags.get(_WIDTH, 0)), int(tags.get(_HEIGHT, 0)), _orientation(data), data)
    return None


def _jpeg(data: bytes) -> ImageHeader | None:
    size, exif, position = None, None, 2
    while True:
        while data[position + 1] == 0xFF:  # padding
            position += 1
        start, marker = data[position], data[position + 1]
        position += 2
        if start != 0xFF or marker == _END:
            return None
        if marker in _ALONE:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _FRAME_MARKERS:
            size = struct.unpack_from(">HH", data, position + 3)
        elif marker == _APP1 and exif is None and data[position + 2 : position + 8] == b"Exif\0\0":
            exif = data[position + 8 : position + length]
        elif marker == _SCAN:
            return None if size is None else _with_exif("jpeg", size[1], size[0], exif or b"")
        position += length


def _png(data: bytes) -> ImageHeader | None:
    width, height = struct.unpack_from(">II", data, 16)
    exif, position = b"", 8
    while True:  # chunk by chunk: libpng would report a missing end on the standard error, not to us
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"eXIf":
            exif = data[position + 8 : position + 8 + length]
        position += 12 + length
        if position > len(data):
            return None
        if kind == b"IEND":
            return _with_exif("png", width, height, exif)


def _webp(data: bytes) -> ImageHeader | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return ImageHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind != b"VP8X" or len(data) < 30:
        return None
    width, height = (int.from_bytes(data[first : first + 3], "little") + 1 for first in (24, 27))
    exif, position = b"", 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            exif = data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    return _with_exif("webp", width, height, exif)


def _bmp(data: bytes) -> ImageHeader:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return ImageHeader("bmp", abs(width), abs(height))  # a negative height: the top row comes first


def _with_exif(kind: str, width: int, height: int, exif: bytes) -> ImageHeader:
    return ImageHeader(kind, width, height, _orientation(exif), exif)


def _orientation(tiff: bytes) -> int:
    try:
        value = read_tags(tiff).get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return int(value) if 1 <= value <= 8 else 1
