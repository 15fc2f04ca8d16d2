"""Small data that several tests of s2hand.datasets share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.rows import HandRow

WriteImage = Callable[..., Path]


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A smooth RGB picture, 60 high and 90 wide, different in each corner and channel."""
    noise = np.random.default_rng(5).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (90, 60), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.fixture
def write_image() -> WriteImage:
    """Write a small grey image to a path, as what its suffix says."""

    def write(path: Path, size: tuple[int, int] = (8, 8), value: int = 120) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = cv2.imencode(path.suffix.lower(), np.full((*size, 3), value, np.uint8))[1]
        path.write_bytes(encoded.tobytes())
        return path

    return write


@pytest.fixture
def keypoints() -> NDArray[np.float32]:
    """[21, 3] valid keypoints, of which joints 4 and 20 were not found."""
    points = np.random.default_rng(6).uniform(0.05, 1, (21, 3)).astype(np.float32)
    points[[4, 20]] = (np.nan, np.nan, 0)
    return points


@pytest.fixture
def hand_row(keypoints: NDArray[np.float32]) -> Callable[..., HandRow]:
    """A valid row; keyword arguments replace its fields."""

    def make(**changes: object) -> HandRow:
        fields = {
            "image": "a.jpg",
            "sha256": "0" * 64,
            "width": 40,
            "height": 30,
            "hand": "right",
            "hand_index": 0,
            "box": Box(0, -5, 40, 40),
            "keypoints": keypoints,
        }
        return HandRow(**{**fields, **changes})  # type: ignore[arg-type]

    return make
