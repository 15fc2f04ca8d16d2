"""Videos as folders of frames: names, files that are no videos, open files."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from s2hand.datasets import video_index, videos
from s2hand.datasets.files import sha256_file
from s2hand.datasets.image_files import ImageError
from s2hand.datasets.images import read_image
from s2hand.datasets.video_index import file_version
from s2hand.datasets.videos import MOST_OPEN, find_frame, frame_names, read_frame, video_sha256


def test_frames_are_named_by_number(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    path = write_video(tmp_path / "clip.mp4", 7)
    assert frame_names(path) == [f"clip.mp4#00000{frame}" for frame in range(7)]
    assert frame_names(path, 3) == ["clip.mp4#000000", "clip.mp4#000003", "clip.mp4#000006"]
    with pytest.raises(ValueError, match="every: expected 1 or more, found 0"):
        frame_names(path, 0)


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("clip.mp4#000123", ("clip.mp4", 123)),
        ("a b/Ü.MOV#000000", ("a b/Ü.MOV", 0)),
        ("x.mkv#1234567", ("x.mkv", 1234567)),
        ("x.mp4#000001.mp4#000002", ("x.mp4#000001.mp4", 2)),
        ("a#1.jpg", None),
        ("a#000001.jpg", None),
        ("a.jpg#000001", None),
        ("clip.mp4#12", None),
        ("clip.mp4", None),
        (".mp4#000001", None),
    ],
)
def test_names_of_frames(name: str, frame: tuple[str, int] | None) -> None:
    assert find_frame(Path(name)) == (None if frame is None else (Path(frame[0]), frame[1]))


def test_a_file_with_the_name_of_a_frame_is_a_file(
    tmp_path: Path, write_video: Callable[..., Path], write_image: Callable[..., Path], number_in: Callable[..., int]
) -> None:
    write_video(tmp_path / "clip.mp4", 7)
    (tmp_path / "clip.mp4#000005").write_bytes(write_image(tmp_path / "a.png", value=77).read_bytes())
    assert number_in(read_image(tmp_path / "clip.mp4#000004")) == 4
    assert (read_image(tmp_path / "clip.mp4#000005") == 77).all()


def silent_film(path: Path) -> None:
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))


def write_film(path: Path, kind: str, pictures: int) -> None:
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
        for _ in range(pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8))))
        container.mux(stream.encode(None))


def unknown_coding(path: Path) -> None:
    write_film(path, "matroska", 1)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/ASP", b"V_MPEG9/ISO/ASP"))


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nhttp://127.0.0.1:9/a.mp4\n#EXT-X-ENDLIST\n")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not a video of a known kind, or cut short"),
    "text": (lambda path: path.write_text("no video"), "not a video of a known kind, or cut short"),
    "playlist": (playlist, "not a video of a known kind, or cut short"),
    "sound": (silent_film, "holds no video"),
    "no pictures": (lambda path: write_film(path, "avi", 0), "holds no frame, or is cut short"),
    "unknown coding": (unknown_coding, "the video is coded in a way that FFmpeg does not know"),
    "pipe": (os.mkfifo, "is a pipe, socket or device; expected a file"),
    "folder": (Path.mkdir, "is a folder; expected a file"),
    "broken link": (lambda path: path.symlink_to("gone"), "can't be read: a link to 'gone': No such file"),
    "missing": (lambda path: None, "can't be read: No such file"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_video_is_one_frame_that_fails(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make, reason = BROKEN[kind]
    path = tmp_path / "a.mp4"
    make(path)
    assert frame_names(path) == ["a.mp4#000000"]
    with pytest.raises(ImageError) as caught:
        read_image(tmp_path / "a.mp4#000000")
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_video_of_too_many_pixels_is_refused(
    tmp_path: Path, write_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_index, "MAX_PIXELS", 96 * 64 - 1)
    with pytest.raises(ImageError, match=r"a\.mp4: 96 x 64 pixels: expected at most 6,143 in all"):
        read_frame(write_video(tmp_path / "a.mp4", 2), 0)


def test_a_recording_without_its_end_is_refused(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    """MP4 keeps its table of contents last: without it nothing can be read."""
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-200])
    assert frame_names(path) == ["a.mp4#000000"]
    with pytest.raises(ImageError, match="not a video of a known kind, or cut short"):
        read_frame(path, 0)


def test_a_cut_mp4_with_its_table_first_gives_what_it_has(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    whole, path = write_video(tmp_path / "whole.mp4"), tmp_path / "a.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    count = len(frame_names(path))
    assert 5 < count < 60
    for frame in range(count - 4):
        np.testing.assert_array_equal(read_frame(path, frame), read_frame(whole, frame))
    with pytest.raises(ImageError, match=r"a\.mp4#0000\d\d: can't be decoded: the video is damaged or cut short here"):
        read_frame(path, count - 1)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_few_files_stay_open(tmp_path: Path, write_video: Callable[..., Path], number_in: Callable[..., int]) -> None:
    paths = [write_video(tmp_path / f"{number}.mp4", 5) for number in range(8)]
    gc.collect()
    before = open_files()
    for frame in (0, 3):
        for path in paths:
            assert number_in(read_frame(path, frame)) == frame
            assert open_files() <= before + MOST_OPEN


def test_a_file_that_changed_is_read_anew(
    tmp_path: Path, write_video: Callable[..., Path], number_in: Callable[..., int]
) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    assert number_in(read_frame(path, 4)) == 4
    write_video(path, 3)
    assert len(frame_names(path)) == 3
    with pytest.raises(ImageError, match="has 3, from 0"):
        read_frame(path, 4)
    assert number_in(read_frame(path, 2)) == 2


def test_a_video_is_hashed_once(
    tmp_path: Path, write_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    hashed: list[Path] = []
    monkeypatch.setattr(videos, "sha256_file", lambda path: (hashed.append(path), sha256_file(path))[1])
    found = {video_sha256(file_version(path)) for _ in range(3)}
    assert found == {sha256_file(path)}
    assert hashed == [path]
