"""Of a damaged video, what can be had whole is given, and the rest fails, in whatever order it is asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from s2hand.datasets.image_files import ImageError
from s2hand.datasets.video_index import file_version
from s2hand.datasets.video_reader import VideoReader
from tests.datasets.helpers.clips import X264, decode_all


def packets(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def outcome(reader: VideoReader, frame: int) -> bytes:
    try:
        return reader.read(frame).tobytes()
    except ImageError as error:
        return error.reason.encode()


def test_a_damaged_group_fails_from_there_on_and_the_rest_works(clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = decode_all(clip)
    place, size = packets(clip)[16]
    data = bytearray(clip.read_bytes())
    data[place + 5 : place + size] = np.random.default_rng(0).bytes(size - 5)
    clip.write_bytes(data)
    reader = VideoReader(file_version(clip))
    found = {frame: outcome(reader, frame) for frame in range(60)}
    failed = [frame for frame in found if found[frame].startswith(b"can't be decoded: the video is damaged")]
    assert failed == list(range(failed[0], 24))
    assert failed[0] in (15, 16, 17)
    assert all(found[frame] == whole[frame].tobytes() for frame in range(60) if frame not in failed)
    reader = VideoReader(file_version(clip))
    for frame in np.random.default_rng(1).permutation(60).tolist():
        assert outcome(reader, frame) == found[frame], frame  # whichever way it was reached
    assert capfd.readouterr() == ("", "")


class Corrupt:
    """A decoded picture of which the decoder says that it is damaged."""

    is_corrupt = True

    def __init__(self, image: Any) -> None:
        self.opaque = image.opaque


def test_what_leans_on_a_picture_that_the_decoder_calls_damaged_fails(
    tmp_path: Path, write_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error is raised for such a picture: it only carries a mark."""
    path = write_video(tmp_path / "clip.mp4", **{"x264-params": X264.replace("bframes=2", "bframes=0")})
    reader, whole = VideoReader(file_version(path)), decode_all(path)
    decode = reader._decode

    def marked(packet: Any, number: int) -> list[Any]:
        return [Corrupt(image) if image.opaque == (16,) else image for image in decode(packet, number)]

    monkeypatch.setattr(reader, "_decode", marked)
    found = {frame: outcome(reader, frame) for frame in range(60)}
    failed = [frame for frame in found if found[frame].startswith(b"can't be decoded: the video is damaged")]
    assert failed == list(range(16, 24))  # up to the next key frame
    assert all(found[frame] == whole[frame].tobytes() for frame in range(60) if frame not in failed)


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    path = write_video(tmp_path / "clip.mkv")
    whole = decode_all(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    reader = VideoReader(file_version(path))
    count = len(reader.index.shown)
    assert 20 < count < 50
    good = [frame for frame in range(count) if outcome(reader, frame) == whole[frame].tobytes()]
    assert len(good) >= count - 4
    assert good[:12] == list(range(12))
