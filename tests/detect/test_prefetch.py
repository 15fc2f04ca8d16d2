"""Images decoded ahead: in order, whole or with a reason, never too many."""

import threading
import time

import cv2
import numpy as np
import pytest

from s2hand.datasets.files import sha256_file
from s2hand.detect import prefetch as module
from s2hand.detect.prefetch import load, prefetch

NAMES = [f"{'more/' if number % 2 else ''}{number:02d}.png" for number in range(10)]


def test_images_come_in_order_with_their_digest(photographs):
    loaded = list(prefetch(photographs, NAMES))
    assert [one.source.image for one in loaded] == NAMES
    for one in loaded:
        path = photographs / one.source.image
        assert (one.source.size, one.source.sha256) == (path.stat().st_size, sha256_file(path))
        assert one.image is not None
        assert one.problem == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no image", "not an image of a known kind, or cut short (8 bytes)"),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_a_broken_file_gives_its_reason(photographs, content, reason):
    if content is not None:
        (photographs / "broken.jpg").write_bytes(content)
    loaded = load(photographs, "broken.jpg")
    assert (loaded.image, loaded.problem) == (None, reason)
    assert bool(loaded.source.sha256) == (content is not None)


def test_a_strip_is_no_picture(photographs, write_image):
    write_image(photographs / "strip.png", np.zeros((4, 200, 3), np.uint8))
    assert load(photographs, "strip.png").problem.startswith("200 x 4 pixels: expected")


def test_loading_waits_for_room(photographs, monkeypatch):
    most, held, lock = [0], [0], threading.Lock()
    size = load(photographs, NAMES[0]).nbytes

    def counted(root, name, enough):
        with lock:
            held[0] += 1
            most[0] = max(most[0], held[0])
        return load(root, name, enough)

    monkeypatch.setattr(module, "load", counted)
    monkeypatch.setattr(module, "AHEAD_BYTES", 2 * size)
    for _ in prefetch(photographs, NAMES):
        time.sleep(0.02)
        with lock:
            held[0] -= 1
    # Two that wait, and one more in each thread that began while there was room.
    assert most[0] <= 3 + module.MOST_THREADS
    assert held[0] == 0


def test_closing_stops_the_threads(photographs):
    stream = prefetch(photographs, NAMES * 100)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize(("enough", "reduce"), [(None, 1), (100, 4), (101, 2), (400, 1), (10, 8)])
def test_a_large_photograph_is_decoded_as_small_as_suffices(tmp_path, enough, reduce):
    coarse = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    photograph = cv2.resize(coarse, (400, 263), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.jpg"), photograph)
    loaded = load(tmp_path, "a.jpg", enough)
    assert (loaded.width, loaded.height, loaded.reduce) == (400, 263, reduce)
    assert loaded.image.shape == (-(-263 // reduce), -(-400 // reduce), 3)
    np.testing.assert_array_equal(loaded.source.sha256, load(tmp_path, "a.jpg").source.sha256)
