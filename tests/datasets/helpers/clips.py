"""What videos of tests are written with, and what they hold."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

X264 = "keyint=12:min-keyint=12:scenecut=0:b-adapt=0:bframes=2:threads=1"


def decode_all(path: Path) -> list[NDArray[np.uint8]]:
    """The frames of a video [H, W, 3], decoded from the beginning."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
