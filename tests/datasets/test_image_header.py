"""Headers that programs write in other ways than ours; the size must be that of the decoded image."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageOps

from s2hand.datasets.image_header import ImageHeader, read_header
from s2hand.datasets.images import decode_image, image_size

PIXELS = np.random.default_rng(1).integers(0, 256, (37, 50, 3), dtype=np.uint8)


def encode(kind: str, mode: str = "RGB", orientation: int = 6, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


def exif_block(order: str, orientation: int, kind: int = 3, count: int = 1) -> bytes:
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I", 9: "i"}[kind], orientation)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IHHHI", 8, 1, 0x0112, kind, count)
    return b"Exif\0\0" + head + value + bytes(4)


def jpeg_with(*segments: bytes, before: bytes = b"\xff\xdb") -> bytes:
    """Put APP1 segments into a JPEG, before a marker."""
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG")
    data = buffer.getvalue()
    place = data.index(before)
    added = b"".join(b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block for block in segments)
    return data[:place] + added + data[place:]


def png_with(exif: bytes) -> bytes:
    data, body = encode("PNG", orientation=1), b"eXIf" + exif
    place = data.index(b"eXIf") - 4
    (length,) = struct.unpack_from(">I", data, place)
    chunk = struct.pack(">I", len(exif)) + body + struct.pack(">I", zlib.crc32(body))
    return data[:place] + chunk + data[place + 12 + length :]


def png_with_exif_last() -> bytes:
    data = encode("PNG")
    place = data.index(b"eXIf") - 4
    (length,) = struct.unpack_from(">I", data, place)
    chunk = data[place : place + 12 + length]
    rest = data.replace(chunk, b"")
    return rest[:-12] + chunk + rest[-12:]


def bitmap(header: bytes) -> bytes:
    pixels = bytes(152 * 37)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels


XMP = b"http://ns.adobe.com/xap/1.0/\0<x/>"


def cases() -> Iterator[tuple[str, bytes, ImageHeader]]:
    for kind, options in {
        "JPEG": ({}, {"progressive": True}),
        "PNG": ({},),
        "WEBP": ({}, {"lossless": True}),
        "TIFF": ({}, {"compression": "jpeg"}, {"compression": "tiff_lzw"}),
    }.items():
        for option in options:
            for orientation in (1, 3, 6):
                header = ImageHeader(kind.lower(), 50, 37, orientation)
                yield f"{kind} {option} {orientation}", encode(kind, orientation=orientation, **option), header
    for mode in ("L", "CMYK"):
        yield f"jpeg {mode}", encode("JPEG", mode), ImageHeader("jpeg", 50, 37, 6)
    for mode in ("1", "L", "P", "RGBA", "CMYK"):
        yield f"tiff {mode}", encode("TIFF", mode), ImageHeader("tiff", 50, 37, 6)
    yield "multi-picture", encode("MPO"), ImageHeader("jpeg", 50, 37, 6)
    yield "png, exif last", png_with_exif_last(), ImageHeader("png", 50, 37, 6)
    turned, as_it_is = ImageHeader("jpeg", 50, 37, 6), ImageHeader("jpeg", 50, 37)
    yield "xmp first", jpeg_with(XMP, exif_block(">", 6)), turned
    yield "exif before the frame", jpeg_with(exif_block("<", 6), before=b"\xff\xc0"), turned
    yield "exif before the scan", jpeg_with(exif_block("<", 6), before=b"\xff\xda"), turned
    for order, kind in ((">", 1), ("<", 1), (">", 4), ("<", 4)):
        yield f"{order} exif of type {kind}", jpeg_with(exif_block(order, 6, kind)), turned
    yield "exif of a signed type", jpeg_with(exif_block(">", 6, 9)), as_it_is
    yield "exif of two values", jpeg_with(exif_block("<", 6, count=2)), as_it_is
    yield "exif cut short", jpeg_with(exif_block("<", 6)[:18]), as_it_is
    yield "orientation 0", jpeg_with(exif_block("<", 0)), as_it_is
    yield "orientation 9", jpeg_with(exif_block("<", 9)), as_it_is
    yield "padded marker", jpeg_with(exif_block("<", 6)).replace(b"\xff\xc0", b"\xff\xff\xff\xc0", 1), turned
    yield "marker without a length", jpeg_with(exif_block("<", 6)).replace(b"\xff\xc0", b"\xff\x01\xff\xc0", 1), turned
    yield "old bitmap", bitmap(struct.pack("<IHHHH", 12, 50, 37, 1, 24)), ImageHeader("bmp", 50, 37)
    top_down = struct.pack("<IiiHHIIIIII", 40, 50, -37, 1, 24, 0, 152 * 37, 0, 0, 0, 0)
    yield "bitmap from the top", bitmap(top_down), ImageHeader("bmp", 50, 37)


CASES = {name: (data, header) for name, data, header in cases()}


@pytest.mark.parametrize("name", CASES)
def test_the_header_says_what_decoding_gives(name: str) -> None:
    data, header = CASES[name]
    assert read_header(data) == header
    assert header.upright_size == decode_image(data, name).shape[1::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [1, 3, 4])
def test_an_orientation_of_any_integer_type_turns_alike(orientation: int, kind: int) -> None:
    data = jpeg_with(exif_block(">", orientation, kind))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg_with(exif_block(">", orientation))))))
    np.testing.assert_array_equal(decode_image(data, "a"), upright)
    assert image_size(data) == upright.shape[1::-1]


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_a_tiffs_orientation_of_any_integer_type(kind: int) -> None:
    data = encode("TIFF")
    entry = struct.pack("<HHIHxx", 0x0112, 3, 1, 6)
    assert data.count(entry) == 1
    changed = data.replace(entry, struct.pack("<HHII", 0x0112, kind, 1, 6))
    np.testing.assert_array_equal(decode_image(changed, "a"), np.rot90(PIXELS, 3))
    assert image_size(changed) == (37, 50)


@pytest.mark.parametrize("seed", range(50))
def test_damaged_exif_gives_the_size_of_the_decoded_image(seed: int) -> None:
    generator = np.random.default_rng(seed)
    block = bytearray(exif_block("<>"[seed % 2], int(generator.integers(2, 9)), kind=(1, 3, 4)[seed % 3]))
    for place in generator.integers(6, len(block), 1 + seed % 3):
        block[place] ^= 1 << int(generator.integers(8))
    for data in (jpeg_with(bytes(block)), png_with(bytes(block[6:]))):
        assert image_size(data) == decode_image(data, "a").shape[1::-1]
        assert decode_image(data, "a", 2).shape[1::-1] == tuple(-(-side // 2) for side in image_size(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_any_start_of_a_file_gives_a_header_or_none(kind: str) -> None:
    data = encode(kind)
    whole = read_header(data)
    assert whole is not None
    for length in range(len(data)):
        found = read_header(data[:length])
        assert found is None or (found.width, found.height) == (whole.width, whole.height)


def test_noise_gives_a_header_with_a_size_or_none() -> None:
    generator = np.random.default_rng(2)
    for start in (b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF1234WEBPVP8X", b"II*\0", b"MM\0*", b"BM"):
        for length in (0, 3, 10, 200, 3000):
            found = read_header(start + generator.bytes(length))
            assert found is None or min(found.width, found.height) > 0
