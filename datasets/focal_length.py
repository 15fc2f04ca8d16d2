"""The focal length that a camera wrote into its photograph, in pixels (Exif 2.3; CIPA DCG-001 for the 35 mm one).

Exif says it in up to two ways: as the focal length that would show the same angle on 35 mm film, compared by the
diagonal, whatever the picture was scaled to since; or in millimetres, with the sensor's pixels per length.
Programs that cut a picture keep what the camera wrote, which is wrong then: where the picture has not the shape that
the camera wrote down, nothing is believed.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from s2hand.datasets.image_header import ImageHeader, read_header
from s2hand.datasets.tiff_tags import EXIF_DIRECTORY, read_tags

_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_WIDTH, _HEIGHT = 0xA002, 0xA003  # as the camera took it
_DENSITY, _DENSITY_UNIT = 0xA20E, 0xA210  # pixels of the sensor per unit of length
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0}  # inch, which is also the default; centimetre; millimetre
_FILM_DIAGONAL = math.hypot(36.0, 24.0)  # millimetres
_SAME_SHAPE = 0.02  # relative: a scaled picture's sides are rounded
_PLAUSIBLE = (0.2, 20.0)  # focal length over the longer side: 136 to 3 degrees


@dataclass(frozen=True)
class FocalLength:
    """A focal length of the picture, and what it was read from, in words."""

    pixels: float
    source: str


def focal_length_of(path: Path) -> FocalLength | None:
    """Return the focal length in pixels of an image file; None where it doesn't say, or is no image."""
    header = read_header(path.read_bytes())
    return None if header is None else read_focal_length(header)


def read_focal_length(header: ImageHeader) -> FocalLength | None:
    """Return the focal length in pixels of a picture as stored; None where its file doesn't say, or not believably."""
    try:
        first = read_tags(header.exif)
        tags = read_tags(header.exif, first[EXIF_DIRECTORY]) if EXIF_DIRECTORY in first else {}
    except struct.error:
        return None
    if not _has_camera_shape(header, tags):
        return None
    found = _by_film(header, tags) or _by_sensor(header, tags)
    longer = max(header.width, header.height)
    return found if found and _PLAUSIBLE[0] <= found.pixels / longer <= _PLAUSIBLE[1] else None


def _has_camera_shape(header: ImageHeader, tags: dict[int, float]) -> bool:
    width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    if not width or not height:
        return True
    taken, now = sorted((width, height)), sorted((header.width, header.height))
    return abs(taken[0] / taken[1] * now[1] / now[0] - 1) <= _SAME_SHAPE


def _by_film(header: ImageHeader, tags: dict[int, float]) -> FocalLength | None:
    film = tags.get(_FOCAL_LENGTH_35MM, 0)
    if not film:  # 0: unknown
        return None
    pixels = film / _FILM_DIAGONAL * math.hypot(header.width, header.height)
    return FocalLength(pixels, "Exif focal length on 35 mm film")


def _by_sensor(header: ImageHeader, tags: dict[int, float]) -> FocalLength | None:
    length, density = tags.get(_FOCAL_LENGTH, 0), tags.get(_DENSITY, 0)
    unit = _MILLIMETRES.get(int(tags.get(_DENSITY_UNIT, 2)))
    taken = max(tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0))
    if not (length and density and unit and taken):
        return None
    scaled = max(header.width, header.height) / taken
    return FocalLength(length * density / unit * scaled, "Exif focal length and sensor")
