"""The focal length in Exif, written by another program (Pillow) and read by ours."""

import io
import math

import pytest
from PIL import Image, TiffImagePlugin

from s2hand.datasets.focal_length import read_focal_length
from s2hand.datasets.image_header import read_header

FILM, LENGTH, WIDTH, HEIGHT, DENSITY, UNIT = 0xA405, 0x920A, 0xA002, 0xA003, 0xA20E, 0xA210


def photograph(tags: dict[int, object], size: tuple[int, int] = (400, 300), kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769).update(tags)
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, kind, exif=exif)
    return stream.getvalue()


def fraction(above: int, below: int) -> TiffImagePlugin.IFDRational:
    return TiffImagePlugin.IFDRational(above, below)


def focal_pixels(data: bytes) -> float | None:
    header = read_header(data)
    assert header is not None
    found = read_focal_length(header)
    return None if found is None else found.pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_on_film(kind: str) -> None:
    # 26 mm show as much along the diagonal as on film, whose diagonal is 43.27 mm; the picture's is 500 pixels.
    assert focal_pixels(photograph({FILM: 26}, kind=kind)) == pytest.approx(26 / 43.2666 * 500, rel=1e-5)


def test_a_sensor() -> None:
    tags = {LENGTH: fraction(8, 2), DENSITY: fraction(2540, 1), UNIT: 2, WIDTH: 800, HEIGHT: 600}
    # 4 mm at 100 pixels per millimetre are 400 pixels of the camera's, which were scaled to a half since.
    assert focal_pixels(photograph(tags)) == pytest.approx(200.0)
    assert focal_pixels(photograph({**tags, UNIT: 3, DENSITY: fraction(1000, 1)})) == pytest.approx(200.0)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {FILM: 0},
        {FILM: 26, WIDTH: 400, HEIGHT: 400},  # cut since
        {FILM: 9000},
        {LENGTH: fraction(4, 1)},  # of a sensor that nobody knows
        {LENGTH: fraction(4, 1), DENSITY: fraction(0, 1), WIDTH: 400, HEIGHT: 300},
    ],
)
def test_nothing_is_believed(tags: dict[int, object]) -> None:
    assert focal_pixels(photograph(tags)) is None


def test_a_turned_picture_keeps_its_shape() -> None:
    turned = focal_pixels(photograph({FILM: 26, WIDTH: 300, HEIGHT: 400}))
    assert (
        turned == focal_pixels(photograph({FILM: 26, WIDTH: 400, HEIGHT: 300})) == focal_pixels(photograph({FILM: 26}))
    )
    assert turned is not None


def test_damaged_exif() -> None:
    data = photograph({FILM: 26, LENGTH: fraction(4, 1)})
    start = data.index(b"Exif\0\0") + 6
    for cut in range(90):
        broken = data[: start + cut] + b"\xff" * 12 + data[start + cut + 12 :]
        header = read_header(broken)
        if header is not None:
            found = read_focal_length(header)
            assert found is None or math.isfinite(found.pixels)
