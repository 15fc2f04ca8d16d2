"""The numbers in a directory of a TIFF structure (TIFF 6.0), which is also how Exif (2.3) keeps what a camera says."""

import struct

EXIF_DIRECTORY = 0x8769
"""The tag of the first directory that says where Exif's own begins."""
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}  # BYTE, SHORT, LONG, IFD: the standards ask for one, programs write any
_RATIONALS = {5: "II", 10: "ii"}  # numerator, denominator


def read_tags(tiff: bytes, start: float | None = None) -> dict[int, float]:
    """Return the single numbers of a directory by tag: of the first one, or of that at the byte `start`.

    A fraction that lies outside the structure, or has a zero below, is left out. Raises struct.error for a directory
    that is cut short.
    """
    order = "<" if tiff[:2] == b"II" else ">"
    position = struct.unpack_from(f"{order}I", tiff, 4)[0] if start is None else int(start)
    (count,) = struct.unpack_from(f"{order}H", tiff, position)
    tags: dict[int, float] = {}
    for entry in range(position + 2, position + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, entry)
        if number != 1 or tag in tags:
            continue
        if kind in _INTEGERS:
            (tags[tag],) = struct.unpack_from(order + _INTEGERS[kind], tiff, entry + 8)
        elif kind in _RATIONALS:
            (place,) = struct.unpack_from(f"{order}I", tiff, entry + 8)
            fraction = tiff[place : place + 8]
            above, below = struct.unpack(order + _RATIONALS[kind], fraction) if len(fraction) == 8 else (0, 0)
            if below:
                tags[tag] = above / below
    return tags
