"""The frames of a video file, counted by reading its packets: which there are, in which order, where decoding starts.

What a container says of its own length is often wrong, of a recording that broke off it is missing; the packets can't
be wrong about what can be decoded. Nothing is decoded here: a file is read at the disk's speed, once per process.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import one_line
from s2hand.datasets.image_files import MAX_PIXELS, ImageError, regular_file

Version = tuple[str, int, int]  # path, bytes, nanoseconds of the last change: the same as long as the content is

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
_KEPT = 64  # indices of files, 16 bytes per frame
_COUNTING = threading.Lock()  # so that threads which meet at a file don't all read it


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The packets of a video stream, in the order of the file, which is that of decoding."""

    times: NDArray[np.int64]  # [P] presentation time of each packet, in units of the stream
    shown: NDArray[np.int64]  # [N] the packet of frame i, frames in the order of their times
    keys: NDArray[np.int64]  # [K] packets at which decoding may start, ascending

    def start(self, frame: int) -> int:
        """Return where in `keys` the last packet stands from which the frame can be decoded exactly.

        A key packet may be followed by pictures that are shown before it and lean on what was before it ("open GOP").
        """
        packet = self.shown[frame]
        place = int(np.searchsorted(self.keys, packet, side="right")) - 1
        while place > 0 and self.times[self.keys[place]] > self.times[packet]:
            place -= 1
        return max(0, place)


def file_version(path: Path) -> Version:
    """Say which content a file holds without reading it; `ImageError` if it is missing or no regular file."""
    status = regular_file(path)
    return str(path), status.st_size, status.st_mtime_ns


def index_video(version: Version) -> VideoIndex:
    """Count the frames of a video file, or take what an earlier call found.

    Raises:
        ImageError: it can't be read, is none, or holds no frame; the message begins with the file's path.
    """
    with _COUNTING:
        return _index(version)


def open_video(path: str) -> tuple[Any, Any]:
    """Open a video file with PyAV; return the container and its first video stream.

    Raises:
        ImageError: it can't be read, is no video of a known kind, or larger than MAX_PIXELS.
    """
    import av

    # The content of a file chooses how it is read: kinds that name other files or addresses are not among ours.
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options)
    except (av.FFmpegError, UnicodeError) as error:
        raise ImageError(path, f"not a video of a known kind, or cut short ({one_line(error)})") from error
    if not container.streams.video:
        raise ImageError(path, "holds no video")
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec is None:
        raise ImageError(path, "the video is coded in a way that FFmpeg does not know")
    if codec.width * codec.height > MAX_PIXELS:
        raise ImageError(path, f"{codec.width} x {codec.height} pixels: expected at most {MAX_PIXELS:,} in all")
    return container, stream


@lru_cache(maxsize=_KEPT)
def _index(version: Version) -> VideoIndex:
    import av

    container, stream = open_video(version[0])
    times: list[int] = []
    shown: list[int] = []
    keys: list[int] = []
    with container, suppress(av.FFmpegError):  # a file may break off: what came before counts
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.is_keyframe:
                keys.append(len(times))
            if not packet.is_discard:  # a list of edits may leave packets out
                shown.append(len(times))
            time = packet_time(packet)
            times.append(len(times) if time is None else time)
    if not shown:
        raise ImageError(version[0], "holds no frame, or is cut short")
    ordered, frames = np.array(times, np.int64), np.array(shown, np.int64)
    frames = frames[np.argsort(ordered[frames], kind="stable")]
    return VideoIndex(ordered, frames, np.array(keys or [0], np.int64))


def packet_time(packet: Any) -> int | None:
    """Return when a packet's frame is shown, in units of the stream, as far as the file tells."""
    time: int | None = packet.dts if packet.pts is None else packet.pts
    return time
