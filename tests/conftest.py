"""What tests of several parts share: one thread a process, and videos that show the number of each frame."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

WriteVideo = Callable[..., Path]
os.environ["OMP_NUM_THREADS"] = "1"
# Before torch is imported: the suite's own processes share the cores, and threads that wait for one take half of its
# time. It also fixes the order of sums, to the last bit.

X264 = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:b-adapt=0:bframes=2:threads=1"}


@pytest.fixture
def write_video() -> WriteVideo:
    """Write a video of 96 x 64 pixels, by default in H.264 with two B-frames and a key frame every 12.

    Frame n shows n in its top row: eight squares of 8 x 8 pixels, white for a 1, the highest bit first.
    """

    def write(path: Path, frames: int = 60, codec: str = "libx264", **options: str) -> Path:
        chosen = {**X264, **options} if codec == "libx264" else options
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=chosen)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = 12, 2
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


def numbered(number: int) -> NDArray[np.uint8]:
    """[64, 96, 3]: a moving pattern with a number in its top row."""
    y, x = np.mgrid[:64, :96]
    image = np.stack([x * 2 + number * 3, y * 3, x + y + number], axis=-1).astype(np.uint8)
    for bit in range(8):
        image[:8, 8 * bit : 8 * bit + 8] = 255 * (number >> (7 - bit) & 1)
    return image


@pytest.fixture
def number_in() -> Callable[[NDArray[np.uint8]], int]:
    """Read the number that a frame of `write_video` shows."""

    def read(image: NDArray[np.uint8]) -> int:
        return int("".join("1" if image[3:5, 8 * bit + 3 : 8 * bit + 5].mean() > 127 else "0" for bit in range(8)), 2)

    return read
