import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from s2hand.datasets.files import DataError
from s2hand.datasets.images import ImageError, decode_image, list_images, read_image

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 95}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tif": ("TIFF", {"compression": "tiff_lzw"}),
}


def encode(image: Image.Image, suffix: str, **options: Any) -> bytes:
    kind, defaults = FORMATS[suffix]
    buffer = io.BytesIO()
    image.save(buffer, kind, **{**defaults, **options})
    return buffer.getvalue()


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


def test_a_name_that_is_not_utf8_is_refused_with_advice(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    with pytest.raises(DataError, match=r"xff\.jpg.*not UTF-8; rename"):
        list_images(tmp_path)


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
        "folder.jpg": "Is a directory",
    }
    for name, reason in expected.items():
        with pytest.raises(ImageError, match=reason) as caught:
            read_image(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
