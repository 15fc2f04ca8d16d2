"""A shortage of memory while decoding is told apart from a broken image: nothing is wrong with that one."""

import pickle

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from s2hand.datasets.image_files import ImageError, ImageMemoryError
from s2hand.datasets.images import decode_image
from tests.datasets.helpers.pictures import encode


def opencv_error(message: str, code: int) -> cv2.error:
    error = cv2.error(message)
    error.code = code  # type: ignore[misc]
    return error


SHORTAGES = {
    "Python": MemoryError(),
    "OpenCV's code": opencv_error("OpenCV: error", cv2.Error.StsNoMem),
    "OpenCV's words": opencv_error(
        "OpenCV: (-4:Insufficient memory) Failed to allocate 3 bytes in OutOfMemoryError", 0
    ),
    "C++": opencv_error("std::bad_alloc", 0),
}


@pytest.mark.parametrize("shortage", SHORTAGES)
@pytest.mark.parametrize(
    ("step", "suffix", "reduce"),
    [
        ("imdecode", "png", 1),
        ("cvtColor", "jpg", 4),
        ("flip", "jpg", 1),
        ("copyMakeBorder", "png", 2),
        ("resize", "tif", 2),
    ],
)
def test_a_shortage_of_memory_is_told_apart(
    picture: NDArray[np.uint8], shortage: str, step: str, suffix: str, reduce: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6 if reduce == 1 else 1
    data = encode(Image.fromarray(picture), suffix, exif=exif)

    def fail(*_: object, **__: object) -> None:
        raise SHORTAGES[shortage]

    with monkeypatch.context() as patch:
        patch.setattr(cv2, step, fail)
        with pytest.raises(ImageMemoryError, match=r"^a: not enough memory to decode it$") as caught:
            decode_image(data, "a", reduce)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.name, copy.reason) == (ImageMemoryError, "a", "not enough memory to decode it")
    decode_image(data, "a", reduce)  # it passed


def test_other_errors_of_the_decoder_are_no_shortage(
    picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise opencv_error("OpenCV: bad\nargument", cv2.Error.StsBadArg)

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(ImageError, match=r"^a: can't be decoded \(OpenCV: bad argument\)$") as caught:
        decode_image(encode(Image.fromarray(picture), "png"), "a")
    assert not isinstance(caught.value, ImageMemoryError)


def test_a_shortage_that_opencv_keeps_silent_about(picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    data = encode(Image.fromarray(picture), "bmp")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(ImageError, match="not an image of a known kind, or cut short") as caught:
        decode_image(data, "a")
    assert not isinstance(caught.value, ImageMemoryError)
    monkeypatch.setattr(np, "empty", fail)
    with pytest.raises(ImageMemoryError):
        decode_image(data, "a")
