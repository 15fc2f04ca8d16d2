import io
import math
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from s2hand.datasets.files import DataError
from s2hand.datasets.images import ImageError, decode_image, image_size, list_images, read_image
from tests.datasets.helpers.pictures import FORMATS, encode


def test_images_are_found_in_any_case_and_depth_and_sorted(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.Jpeg", "a/b/c.png", "ü ñ.webp", "d.BMP", "e.tif", "f.TIFF"]
    others = ["notes.txt", "a/jpg", "a/k.json", "._b.jpg", ".hidden/x.jpg", "g.jpg.txt"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    assert list_images(tmp_path) == sorted(names)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"x")
    (tmp_path / "images" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "back").symlink_to(tmp_path / "images")
    assert list_images(tmp_path / "images") == ["link/a.jpg"]


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list_images(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no image"):
        list_images(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="is a file; expected a folder"):
        list_images(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(picture: NDArray[np.uint8], suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(encode(Image.fromarray(picture), suffix))
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.dtype == np.uint8
    assert image.shape == picture.shape
    assert np.abs(image.astype(int) - picture).max() <= (20 if suffix == "jpg" else 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(picture: NDArray[np.uint8], suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(picture), suffix, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert image_size(data) == upright.shape[1::-1]
    np.testing.assert_array_equal(decode_image(data, "a"), upright)


def test_16_bits_become_8(picture: NDArray[np.uint8]) -> None:
    data = cv2.imencode(".png", picture[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    np.testing.assert_array_equal(decode_image(data, "a"), picture)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_grey_becomes_rgb(picture: NDArray[np.uint8], suffix: str) -> None:
    image = decode_image(encode(Image.fromarray(picture[..., 0]), suffix), "a")
    assert image.shape == picture.shape
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 0] == image[..., 2]).all()
    assert np.abs(image[..., 0].astype(int) - picture[..., 0]).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparency_is_dropped(picture: NDArray[np.uint8], suffix: str) -> None:
    alpha = np.full((*picture.shape[:2], 1), 200, np.uint8)
    data = encode(Image.fromarray(np.concatenate([picture, alpha], axis=2)), suffix)
    image = decode_image(data, "a")
    assert image.shape == picture.shape
    assert np.abs(image.astype(int) - picture).mean() < 0.5


def test_cmyk_jpeg(picture: NDArray[np.uint8]) -> None:
    image = decode_image(encode(Image.fromarray(picture).convert("CMYK"), "jpg"), "a")
    assert np.abs(image.astype(int) - picture).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_a_palette_becomes_rgb(picture: NDArray[np.uint8], suffix: str) -> None:
    few = Image.fromarray(picture).quantize(64)
    np.testing.assert_array_equal(decode_image(encode(few, suffix), "a"), np.asarray(few.convert("RGB")))


def test_a_tiffs_transparency_becomes_black(picture: NDArray[np.uint8]) -> None:
    alpha = np.zeros((*picture.shape[:2], 1), np.uint8)
    alpha[:, 45:] = 255
    image = decode_image(encode(Image.fromarray(np.concatenate([picture, alpha], axis=2)), "tif"), "a")
    np.testing.assert_array_equal(image, picture * (alpha > 0))


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_of_several_pictures_the_first_is_taken(picture: NDArray[np.uint8], suffix: str) -> None:
    others = [Image.fromarray(255 - picture), Image.fromarray(picture[::-1])]
    data = encode(Image.fromarray(picture), suffix, save_all=True, append_images=others)
    np.testing.assert_array_equal(decode_image(data, "a"), picture)


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "JPEG2000", "PPM"])
def test_other_kinds_are_refused(picture: NDArray[np.uint8], kind: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    said = "a HEIC or AVIF image, which is not read" if kind == "AVIF" else "not an image of a known kind"
    with pytest.raises(ImageError, match=f"^a: {said}"):
        decode_image(buffer.getvalue(), "a")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (20_000, 20), (20, 20_000)])
def test_extreme_sizes(suffix: str, size: tuple[int, int]) -> None:
    if suffix == "webp" and max(size) > 16_383:
        pytest.skip("WebP has no such size")
    data = encode(Image.new("RGB", size, (200, 100, 50)), suffix)
    image = decode_image(data, "a")
    assert image.shape == (size[1], size[0], 3)
    assert image_size(data) == size
    np.testing.assert_allclose(image[0, 0].astype(int), (200, 100, 50), atol=2)


@pytest.mark.parametrize("reduce", [2, 4, 8])
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(59, 83), (32, 64)])
def test_reduced_decoding_keeps_every_point_in_place(
    picture: NDArray[np.uint8], suffix: str, orientation: int, size: tuple[int, int], reduce: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    part = Image.fromarray(picture[: size[0], : size[1]])
    data = encode(part, suffix, **({} if suffix == "bmp" else {"exif": exif}))
    whole = decode_image(data, "a")
    image = decode_image(data, "a", reduce)
    assert image_size(data) == (whole.shape[1], whole.shape[0])
    height, width = (side // reduce for side in whole.shape[:2])
    assert image.shape == (math.ceil(whole.shape[0] / reduce), math.ceil(whole.shape[1] / reduce), 3)
    blocks = whole[: height * reduce, : width * reduce].reshape(height, reduce, width, reduce, 3)
    assert np.abs(image[:height, :width] - blocks.mean(axis=(1, 3))).mean() < (2 if suffix == "jpg" else 0.6)


def bomb(suffix: str, width: int, height: int) -> bytes:
    """Return a small file whose header claims a size that its content has not."""
    data = bytearray(encode(Image.new("RGB", (90, 60)), suffix, **({"lossless": False} if suffix == "webp" else {})))
    if suffix == "jpg":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    elif suffix == "png":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif suffix == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif suffix == "webp":
        data[26:30] = struct.pack("<HH", width, height)
    else:
        for tag, value in ((256, width), (257, height)):
            for form in ("<HHII", "<HHIHxx"):
                old = struct.pack(form, tag, 4 if form == "<HHII" else 3, 1, {256: 90, 257: 60}[tag])
                if old in data:
                    place = data.index(old)
                    data[place : place + 12] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(data)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise AssertionError("decoded")

    width, height = (16_383, 16_383) if suffix == "webp" else (65_000, 65_000)
    data = bomb(suffix, width, height)
    monkeypatch.setattr(cv2, "imdecode", explode)
    assert len(data) < 20_000
    with pytest.raises(ImageError, match=rf"^a: {width} x {height} pixels: expected at most 250,000,000 in all"):
        decode_image(data, "a")
    with pytest.raises(ImageError, match="pixels: expected at most"):
        image_size(data)


def test_damage_inside_a_png_is_seen_and_inside_a_jpeg_is_not(picture: NDArray[np.uint8]) -> None:
    png, jpeg = (bytearray(encode(Image.fromarray(picture), suffix)) for suffix in ("png", "jpg"))
    for data in (png, jpeg):
        data[len(data) // 2] ^= 0x55
    with pytest.raises(ImageError):
        decode_image(bytes(png), "a")
    assert decode_image(bytes(jpeg), "a").shape == picture.shape


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(picture: NDArray[np.uint8], suffix: str, share: float) -> None:
    data = encode(Image.fromarray(picture), suffix)
    with pytest.raises(ImageError, match=r"^broken: (not an image of a known kind, or cut|can't be decoded)"):
        decode_image(data[: int(share * len(data))], "broken")


def test_a_progressive_jpeg_that_is_cut_short_is_refused(picture: NDArray[np.uint8]) -> None:
    data = encode(Image.fromarray(picture), "jpg", progressive=True)
    assert decode_image(data, "a").shape == picture.shape
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data[:-60], "a")


def test_an_unfinished_download_is_refused(picture: NDArray[np.uint8]) -> None:
    """Some programs reserve the file's whole length first: the rest is zeros."""
    data = encode(Image.fromarray(picture), "jpg")
    half = len(data) // 2
    with pytest.raises(ImageError, match="cut short"):
        decode_image(data[:half] + bytes(len(data) - half), "a")


def test_what_is_no_image_is_refused_in_one_line_and_silently(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("This is not a photograph.")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    expected = {
        "text.jpg": "not an image",
        "empty.jpg": "the file is empty",
        "missing.jpg": "No such file",
        "folder.jpg": "is a folder; expected a file",
    }
    for name, reason in expected.items():
        with pytest.raises(ImageError, match=reason) as caught:
            read_image(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_picture_of_another_size_than_its_header_says_is_refused(
    picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(Image.fromarray(picture), "png")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((90, 60, 3), np.uint8))
    with pytest.raises(ImageError, match=r"^a: decodes to 60 x 90 pixels; expected 90 x 60 by the file's header$"):
        decode_image(data, "a")
