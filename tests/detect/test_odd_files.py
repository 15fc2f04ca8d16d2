"""A folder of odd files: each has its outcome, and none stops the run. docs/detect.md lists them."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from s2hand.datasets import read_keypoints
from s2hand.datasets.keypoints import read_failures, to_arrays
from s2hand.detect import DetectSettings, run_detection


def bomb(width, height):
    """A whole PNG file of a few bytes that claims many pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def odd(tmp_path, texture):
    folder = tmp_path / "odd"
    (folder / "folder.jpg").mkdir(parents=True)
    picture = texture(0, 60, 90)
    rgb = Image.fromarray(picture)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "text.jpg").write_text("not an image")
    (folder / "bomb.png").write_bytes(bomb(60_000, 60_000))
    cv2.imwrite(str(folder / "strip.png"), np.zeros((20, 20_000, 3), np.uint8))
    cv2.imwrite(str(folder / "deep.png"), picture.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "pixel.png"), np.full((1, 1, 3), 200, np.uint8))
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.convert("RGBA").save(folder / "alpha.png")
    rgb.convert("P").save(folder / "palette.png")
    rgb.convert("L").save(folder / "grey.tif")
    rgb.save(folder / "animated.webp", save_all=True, append_images=[rgb.rotate(90, expand=False)])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    rgb.save(folder / "turned.jpg", exif=exif)
    (folder / "link.jpg").symlink_to("gone.jpg")
    (folder / "film.mp4").write_bytes(b"no film")
    (folder / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    os.mkfifo(folder / "pipe.jpg")
    with open(os.fsencode(folder) + b"/bad\xff.jpg", "wb") as file:
        file.write(jpeg)
    (folder / "folder.jpg" / "a#1.jpg").write_bytes(jpeg)
    return folder


FAILURES = {
    "empty.jpg": "the file is empty",
    "cut.jpg": "cut short",
    "text.jpg": "not an image of a known kind",
    "bomb.png": "60000 x 60000 pixels: expected at most",
    "strip.png": "20000 x 20 pixels: expected a picture with sides of at most 16 : 1",
    "link.jpg": "can't be read: a link to 'gone.jpg'",
    "film.mp4#000000": "",
    "IMG_0001.HEIC": "a HEIC or AVIF image, which is not read; convert it to JPEG",
    "pipe.jpg": "is a pipe, socket or device",
    "bad\\xff.jpg": "the file's name is not UTF-8; rename the file",
}
READ = {
    **dict.fromkeys(("deep.png", "cmyk.jpg", "alpha.png", "palette.png", "grey.tif", "animated.webp"), (90, 60)),
    "turned.jpg": (60, 90),
    "folder.jpg/a#1.jpg": (90, 60),
}


def test_each_odd_file_has_its_outcome(odd, tmp_path, slim_file):
    settings = DetectSettings(weights=str(slim_file), shard_size=5, device="cpu")
    summary = run_detection(odd, tmp_path / "out", settings)
    failures = read_failures(tmp_path / "out")
    assert failures.keys() == FAILURES.keys()
    for name, reason in failures.items():
        assert FAILURES[name] in reason, name
        assert "\n" not in reason
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    sizes = dict(zip(arrays.images, map(tuple, arrays.sizes.tolist()), strict=True))
    assert {"pixel.png": (1, 1), **sizes} == {**READ, "pixel.png": (1, 1)}
    assert summary.images == len(READ) + 1 + len(FAILURES)
    assert run_detection(odd, tmp_path / "out", settings).resumed == summary.images
