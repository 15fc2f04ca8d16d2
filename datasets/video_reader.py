"""Frames of one video file, exactly as decoding from its beginning gives them, fast in order and possible in any.

Asked for rising frames, the reader goes on decoding; for others it seeks to the key packet before, unless the decoder
complains of what follows there: then it decodes this file from its beginning. Every frame is known by the packet that
it came from, not by its time: nothing is rounded, and no frame is taken for its neighbour. One decoding thread, so
that what a damaged file gives does not depend on which thread was faster.
"""

import math
import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.image_files import ImageError
from s2hand.datasets.video_index import Version, index_video, open_video, packet_time

KEPT = 8
"""Decoded frames that are kept, for threads that come a little late."""

_REORDERED = 32  # packets within which a decoder gives a packet's frame, if at all; H.264 and H.265 allow 16
_BACK = (0, 4, 16)  # key packets to go back if seeking lands behind the one that was meant


class VideoReader:
    """Reads frames of a file that stays open; threads may share it."""

    def __init__(self, version: Version) -> None:
        self.path = version[0]
        self.index = index_video(version)
        self._ranks = {packet: rank for rank, packet in enumerate(self.index.shown.tolist())}
        key_times = self.index.times[self.index.keys].tolist()
        unique = len(set(key_times)) == len(key_times)
        self._keys_at = dict(zip(key_times, self.index.keys.tolist(), strict=True)) if unique else {}
        self._turn = threading.Condition()
        self._waiting: list[int] = []
        self._busy = False
        self._kept: dict[int, Any] = {}  # by frame; None if damaged
        self._asked, self._stride = 0, 0  # frames asked for: one of them, and the step between them
        self._errors: list[int] = []  # packets that could not be decoded, ascending
        self._jumped = False  # decoding began at a key packet in the middle, maybe with complaints that mean nothing
        self._whole = False  # decode from the beginning only
        self._open()

    def read(self, frame: int) -> NDArray[np.uint8]:  # [H, W, 3] RGB, upright
        """Read a frame, counted from 0. Threads that wait are served from the lowest frame up.

        Raises:
            ImageError: there is no such frame, or it can't be decoded; the message begins with the frame's name.
        """
        name = f"{self.path}#{frame:06d}"
        if not 0 <= frame < len(self.index.shown):
            raise ImageError(name, f"there is no such frame; the video has {len(self.index.shown)}, from 0")
        with self._turn:
            self._waiting.append(frame)
            self._turn.wait_for(lambda: not self._busy and frame == min(self._waiting))
            self._busy = True
        try:
            found = self._find(frame)
            if found is None and self._jumped:
                self._stop_jumping()
                found = self._find(frame)
        finally:
            with self._turn:
                self._waiting.remove(frame)
                self._busy = False
                self._turn.notify_all()
        if found is None:
            raise ImageError(name, "can't be decoded: the video is damaged or cut short here")
        return upright_rgb(found)

    def close(self) -> None:
        """Close the file; only while no thread reads."""
        self._stop()
        self._kept.clear()
        self._container.close()

    def _find(self, frame: int) -> Any:
        """Return the decoded frame, or None if it can't be had whole."""
        if frame in self._kept:
            return self._kept[frame]
        self._stride, self._asked = math.gcd(self._stride, abs(frame - self._asked)), frame
        packet, place = int(self.index.shown[frame]), 0 if self._whole else self.index.start(frame)
        inside = packet not in self._given and packet >= self._fed - _REORDERED  # the decoder still holds it
        ahead = packet >= self._fed or inside
        near = place == 0 or self.index.keys[place] <= self._fed
        if not (ahead and near and self._key <= self.index.keys[place]):
            self._seek(place)
        for given, image in self._frames:
            self._keep(given, image)
            if given == packet:
                return self._kept[frame]
            if self._fed > packet + _REORDERED or self._is_damaged(packet):
                break
        return None

    def _keep(self, packet: int, image: Any) -> None:
        """Remember a decoded frame, if it is one of those that are asked for."""
        self._given.append(packet)
        frame = self._ranks.get(packet)
        if frame is None or (self._stride and (frame - self._asked) % self._stride):
            return
        self._kept.pop(frame, None)  # the newest stands last
        self._kept[frame] = None if self._is_damaged(packet) else image
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def _is_damaged(self, packet: int) -> bool:
        """Whether a packet from which the frame is decoded, directly or not, gave an error."""
        first = self.index.keys[self.index.start(self._ranks[packet])] if packet in self._ranks else packet
        place = bisect_left(self._errors, first)
        return place < len(self._errors) and self._errors[place] <= packet

    def _open(self) -> None:
        self._container, self._stream = open_video(self.path)
        codec = self._stream.codec_context
        codec.thread_count = 1
        codec.copy_opaque = True
        codec.options = {"err_detect": "explode"}  # an error is told, not painted over
        self._start(self._container.demux(self._stream), 0, int(self.index.keys[0]))

    def _seek(self, place: int) -> None:
        """Go on from the key packet at `place` of the index, or one before, whichever the file lets us reach."""
        import av

        self._stop()
        for back in _BACK if place else ():
            key = self.index.keys[max(0, place - back)]
            with suppress(av.FFmpegError, StopIteration):
                self._container.seek(int(self.index.times[key]), stream=self._stream)
                packets = self._container.demux(self._stream)
                first = next(packets)
                found = self._keys_at.get(packet_time(first))
                if first.is_keyframe and found is not None and found <= self.index.keys[place]:
                    self._start(_chain(first, packets), found, found)
                    self._jumped |= found > self.index.keys[0]
                    return
        self._restart()

    def _stop_jumping(self) -> None:
        """Forget what a decoder that began in the middle complained of; go on from the beginning, now and later.

        H.264 may lean on what was before a key packet: in open groups, in a refresh that wanders over the picture. A
        decoder that began there can't tell pictures that it never saw from damage.
        """
        self._jumped, self._whole = False, True
        self._errors.clear()
        self._kept.clear()
        self._restart()

    def _restart(self) -> None:
        self._stop()
        before = self._container
        self._open()
        before.close()

    def _stop(self) -> None:
        self._start(iter(()), 0, len(self.index.times))  # a key packet after all others: the next frame is sought

    def _start(self, packets: Iterator[Any], first: int, key: int) -> None:
        self._key = key  # the packet from which on all was decoded
        self._fed = first  # the packet that is decoded next
        self._given: deque[int] = deque(maxlen=2 * _REORDERED)  # packets whose frames came out
        self._frames = self._decoded(packets)

    def _decoded(self, packets: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        """Decode packets; yield each frame with the packet that it came from."""
        import av

        with suppress(av.FFmpegError):  # the file breaks off
            for packet in packets:
                number, self._fed = self._fed, self._fed + 1
                if packet.size == 0:  # the end
                    number, packet = self._fed, None
                elif number < self._key or self.index.times[number] < self.index.times[self._key]:
                    continue  # leans on what was before the key packet
                else:
                    if packet.is_corrupt:  # the file ends within it
                        self._add_error(number)
                    packet.opaque = (number,)  # an object of its own: PyAV knows it by its address
                for image in self._decode(packet, number):
                    (source,) = image.opaque
                    if image.is_corrupt:
                        self._add_error(source)
                    yield source, image

    def _decode(self, packet: Any, number: int) -> list[Any]:
        import av

        try:
            images: list[Any] = self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            self._add_error(number)
            return []
        return images

    def _add_error(self, packet: int) -> None:
        if packet not in self._errors:
            insort(self._errors, packet)


def upright_rgb(image: Any) -> NDArray[np.uint8]:  # [H, W, 3]
    """Turn a decoded frame of PyAV into RGB, as its display matrix says: telephones film lying and note it there."""
    from av.sidedata.sidedata import SideDataContainer

    rgb: NDArray[np.uint8] = image.to_ndarray(format="rgb24")
    # Not `image.side_data`: it refers back to the image, which would then outlive us until a garbage collection.
    side_data = SideDataContainer(image)  # type: ignore[call-arg]
    matrix = next((bytes(data) for data in side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return rgb
    # Shown at (a x + c y, b x + d y); only turns by quarters, and mirrored ones.
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32)[:9].tolist()
    if abs(b) > abs(a):
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
