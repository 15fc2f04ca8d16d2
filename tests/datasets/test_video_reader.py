"""Frames as decoding from the beginning gives them, in whatever order they are asked for."""

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.image_files import ImageError
from s2hand.datasets.video_index import file_version, index_video
from s2hand.datasets.video_reader import KEPT, VideoReader
from tests.datasets.helpers.clips import X264, decode_all

KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "H.264 in MP4": ("mp4", "libx264", {}),
    "H.264, open groups": ("mp4", "libx264", {"x264-params": f"{X264}:open-gop=1"}),
    "H.264 in MOV": ("mov", "libx264", {}),
    "H.264 in MKV": ("mkv", "libx264", {}),
    "H.264 in AVI, which has no times": ("avi", "libx264", {"x264-params": X264.replace("bframes=2", "bframes=0")}),
    "MPEG-4 in AVI": ("avi", "mpeg4", {}),
    "MPEG-4 in M4V": ("m4v", "mpeg4", {}),
    "H.265 in MP4": ("mp4", "libx265", {"x265-params": "log-level=none:keyint=12:bframes=3"}),
    "VP8 in WebM": ("webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "12"}),
    "VP9 in WebM": ("webm", "libvpx-vp9", {"lag-in-frames": "12"}),
}


class Counted(VideoReader):
    """Counts how often it had to seek."""

    seeks = 0

    def _seek(self, place: int) -> None:
        self.seeks += 1
        super()._seek(place)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_exact_in_any_order(
    kind: str, tmp_path: Path, write_video: Callable[..., Path], number_in: Callable[..., int]
) -> None:
    suffix, codec, options = KINDS[kind]
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} here")
    path = write_video(tmp_path / f"clip.{suffix}", codec=codec, **options)
    expected = decode_all(path)
    assert [number_in(image) for image in expected] == list(range(60))
    version = file_version(path)
    orders = [range(60), range(59, -1, -1), range(0, 60, 7), np.random.default_rng(0).permutation(60).tolist()]
    for order in orders:
        reader = VideoReader(version)
        for frame in order:
            np.testing.assert_array_equal(reader.read(frame), expected[frame], err_msg=f"frame {frame}")


@pytest.fixture(
    scope="module", params=["open-gop=1:keyint=30:bframes=3:threads=1", "intra-refresh=1:keyint=30:threads=1"]
)
def leaning(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a video whose pictures lean on what was before the key packet: a slow pan, with a cut every 37 frames."""
    if "libx264" not in av.codecs_available:
        pytest.skip("no libx264 here")
    path, generator = tmp_path_factory.mktemp("leaning") / "clip.mp4", np.random.default_rng(2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"x264-params": request.param})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(120):
            if number % 37 == 0:
                scene = cv2.resize(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8), (256, 192))
            x = int(40 + 40 * np.sin(number / 9))
            part = np.ascontiguousarray(scene[x // 2 : x // 2 + 96, x : x + 128])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(part, "rgb24")))
        container.mux(stream.encode(None))
    return path


def test_where_reading_starts_makes_no_difference(leaning: Path) -> None:
    version, expected = file_version(leaning), decode_all(leaning)
    assert len(index_video(version).keys) > 2
    complained = 0
    for frame in range(0, 120, 3):
        reader = VideoReader(version)
        np.testing.assert_array_equal(reader.read(frame), expected[frame], err_msg=f"frame {frame}")
        complained += reader._whole
        reader.close()
    assert 0 < complained < 40


def test_a_decoder_that_complained_once_starts_at_the_beginning_from_then_on(leaning: Path) -> None:
    expected = decode_all(leaning)
    for order in (range(119, -1, -7), np.random.default_rng(0).permutation(120)[:30].tolist()):
        reader = Counted(file_version(leaning))
        for frame in order:
            np.testing.assert_array_equal(reader.read(frame), expected[frame], err_msg=f"frame {frame}")
    assert reader._whole
    for frame in range(120):
        reader.read(frame)
    before = reader.seeks
    for frame in (3, 119, 118):  # back once, then on: the decoder goes through all between
        reader.read(frame)
    assert reader.seeks - before <= 2


def test_a_file_that_could_not_be_opened_again_is_tried_again(clip: Path) -> None:
    reader, whole = VideoReader(file_version(clip)), decode_all(clip)
    reader.read(50)
    moved = clip.rename(clip.with_suffix(".moved"))
    with pytest.raises(ImageError, match="No such file"):
        reader.read(0)
    moved.rename(clip)
    for frame in (1, 50, 0):
        np.testing.assert_array_equal(reader.read(frame), whole[frame])


def test_there_are_b_frames_and_groups(clip: Path) -> None:
    index = index_video(file_version(clip))
    assert index.keys.tolist() == [0, 12, 24, 36, 48]
    assert (np.diff(index.times) < 0).sum() > 10


def test_rising_frames_need_no_seeking(clip: Path) -> None:
    reader = Counted(file_version(clip))
    for frame in range(60):
        reader.read(frame)
    assert reader.seeks == 0


def test_decoded_frames_go_at_once(clip: Path) -> None:
    reader = VideoReader(file_version(clip))
    gc.collect()
    gc.disable()
    before = decoded_frames()  # of readers that other tests left open
    try:
        for frame in range(60):
            reader.read(frame)
        assert decoded_frames() - before <= KEPT + 2
    finally:
        gc.enable()


def decoded_frames() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_frames_far_apart_skip_what_is_between(clip: Path) -> None:
    reader = Counted(file_version(clip))
    decoded: list[int] = []
    keep = reader._keep
    reader._keep = lambda packet, image: (decoded.append(packet), keep(packet, image))[1]  # type: ignore[method-assign]
    for frame in (0, 30, 55):
        reader.read(frame)
    assert reader.seeks == 2
    assert len(decoded) < 25


@pytest.mark.parametrize("every", [1, 3, 10])
def test_threads_share_a_reader(clip: Path, number_in: Callable[..., int], every: int) -> None:
    reader = Counted(file_version(clip))
    frames = range(0, 60, every)
    with ThreadPoolExecutor(8) as pool:
        assert [number_in(image) for image in pool.map(reader.read, frames)] == list(frames)
    assert reader.seeks <= 4  # without order among them it would be one for nearly every frame
    assert len(reader._kept) <= KEPT


def test_a_thread_that_comes_late_finds_its_frame(clip: Path, number_in: Callable[..., int]) -> None:
    reader = Counted(file_version(clip))
    for frame in (1, 0, 3, 2, 5, 4, 8, 6, 7):
        assert number_in(reader.read(frame)) == frame
    assert reader.seeks == 0


def test_the_lowest_waiting_frame_is_read_first(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = VideoReader(file_version(clip))
    read: list[int] = []
    go_on = threading.Event()
    find = reader._find

    def slow(frame: int) -> Any:
        if not read:
            go_on.wait(10)
        read.append(frame)
        return find(frame)

    monkeypatch.setattr(reader, "_find", slow)
    threads = [threading.Thread(target=reader.read, args=(frame,)) for frame in (0, 9, 4, 7, 2)]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while len(reader._waiting) < count:
            pass
    go_on.set()
    for thread in threads:
        thread.join()
    assert read == [0, 2, 4, 7, 9]


ONE = 1 << 16
TURNS: dict[str, tuple[tuple[int, int, int, int], Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "as it is": ((ONE, 0, 0, ONE), lambda image: image),
    "to the left": ((0, -ONE, ONE, 0), np.rot90),
    "upside down": ((-ONE, 0, 0, -ONE), lambda image: np.rot90(image, 2)),
    "to the right": ((0, ONE, -ONE, 0), lambda image: np.rot90(image, 3)),
    "mirrored": ((-ONE, 0, 0, ONE), lambda image: image[:, ::-1]),
    "mirrored upside down": ((ONE, 0, 0, -ONE), lambda image: image[::-1]),
    "mirrored at a diagonal": ((0, ONE, ONE, 0), lambda image: image.transpose(1, 0, 2)),
    "mirrored at the other": ((0, -ONE, -ONE, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_the_turn_of_a_telephone_is_applied(turn: str, tmp_path: Path, write_video: Callable[..., Path]) -> None:
    path = write_video(tmp_path / "a.mp4", 3)
    plain = VideoReader(file_version(path)).read(1)
    (a, b, c, d), expected = TURNS[turn]
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44  # the display matrix: a b u, c d v, x y w
    data[place : place + 24] = np.array([a, b, 0, c, d, 0], ">i4").tobytes()
    path.write_bytes(data)
    np.testing.assert_array_equal(VideoReader(file_version(path)).read(1), expected(plain))


def test_frames_that_are_not_there(clip: Path) -> None:
    reader = VideoReader(file_version(clip))
    for frame in (60, 1000, -1):
        with pytest.raises(ImageError, match="there is no such frame; the video has 60, from 0"):
            reader.read(frame)
