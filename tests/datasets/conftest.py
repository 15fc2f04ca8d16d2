"""Small data that several tests of s2hand.datasets share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, fingerprint
from tests.datasets.trees.ho3d import EVALUATION, TRAIN, Tree, write_ho3d

WriteImage = Callable[..., Path]
WriteVideo = Callable[..., Path]


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


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write a small HO-3D, in a variant."""
    return partial(write_ho3d, tmp_path, TRAIN, EVALUATION)


@pytest.fixture
def clip(tmp_path: Path, write_video: WriteVideo) -> Path:
    """60 frames of H.264."""
    return write_video(tmp_path / "clip.mp4")


@dataclass(frozen=True)
class Collection:
    """Images, and the finished run of a detector on them."""

    images: Path
    shards: Path


HANDS_OF = {"a.png": ("right", "left"), "sub/a.png": ("left",), "ü b/c.png": ("right", "right", "left"), "z.png": ()}


@pytest.fixture
def collection(tmp_path: Path, write_image: WriteImage) -> Collection:
    """Four images of 40 x 30 pixels in two shards: 2, 1, 3 and no hands; one more that can't be read."""
    generator = np.random.default_rng(9)
    found = Collection(tmp_path / "images", tmp_path / "shards")
    store = ShardStore(found.shards, Provenance("slim", "aa", {"scales": [1.0]}, "cc"))
    (found.images / "broken.png").parent.mkdir()
    (found.images / "broken.png").write_bytes(b"")
    rows = []
    for image, hands in HANDS_OF.items():
        source = fingerprint(
            found.images, write_image(found.images / image, (30, 40)).relative_to(found.images).as_posix()
        )
        for index, hand in enumerate(hands):
            box = Box(*generator.uniform(-5, 9, 2).astype(np.float32).tolist(), 20.25, 20.25)
            rows.append(HandRow(image, source.sha256, 40, 30, hand, index, box, some_keypoints(generator)))  # type: ignore[arg-type]
    with store.writing():
        for number, names in enumerate([["a.png", "broken.png", "sub/a.png"], ["z.png", "ü b/c.png"]]):
            failures = [Failure(name, "empty") for name in names if name == "broken.png"]
            sources = [fingerprint(found.images, name) for name in names]
            store.write(number, sources, [row for row in rows if row.image in names], failures)
        store.finish(2)
    return found


def some_keypoints(generator: np.random.Generator) -> NDArray[np.float32]:
    """[21, 3]: far, near, outside the image, at a pixel's centre, at the corner's; two not found."""
    points = generator.uniform(0.05, 1, (21, 3))
    points[:, :2] *= 10.0 ** generator.integers(-3, 4, (21, 2))
    points[3, :2], points[5, :2], points[6, :2] = (-2.7, 12.25), (12.5, 7.5), (0.5, 0.5)
    points[[4, 20]] = (np.nan, np.nan, 0)
    return points.astype(np.float32)
