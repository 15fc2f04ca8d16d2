"""What the tests of detection share: random weights, photographs of nothing, a detector that is quick."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from s2hand.datasets.cameras import Box
from s2hand.datasets.records import Hand
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, Source
from s2hand.detect.blocks import stored_tensors
from s2hand.detect.detection import Detection
from s2hand.detect.layers import published_name
from s2hand.detect.openpose import HandNetwork
from s2hand.detect.slim import NETWORK_NAME, build_slim
from s2hand.detect.slim_decode import Calibration

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def reference() -> dict[str, NDArray]:
    """Numbers that pytorch-openpose gave: network inputs and outputs, and peaks (`NAME_...`)."""
    return {
        key: value
        for file in ("hand_network", "hand_peaks")
        for key, value in np.load(REFERENCE / f"{file}.npz").items()
    }


@pytest.fixture(scope="session")
def fill() -> Callable[[type[torch.nn.Module]], dict[str, torch.Tensor]]:
    """Tensors of an OpenPose network under their published names, filled as for the reference outputs."""

    def tensors(network: type[torch.nn.Module]) -> dict[str, torch.Tensor]:
        generator = np.random.default_rng(12345)
        with torch.device("meta"):
            shapes = {key: tuple(tensor.shape) for key, tensor in network().state_dict().items()}
        filled = {}
        for key, shape in shapes.items():
            scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) == 4 else 0.05
            values = generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)
            filled[published_name(key)] = torch.from_numpy(values)
        return filled

    return tensors


@pytest.fixture(scope="session")
def random_tensors(fill: Callable[..., dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Those of the hand network."""
    return fill(HandNetwork)


@pytest.fixture(scope="session")
def openpose_file(random_tensors: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file as published, but of random numbers, in half precision to spare the disk."""
    path = tmp_path_factory.mktemp("weights") / "hand_pose_model.pth"
    torch.save({name: tensor.half() for name, tensor in random_tensors.items()}, path)
    return path


@pytest.fixture(scope="session")
def slim_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of the slim network that has learnt nothing; quick to load and to run."""
    path = tmp_path_factory.mktemp("weights") / "slim.safetensors"
    calibration = json.dumps(asdict(Calibration((0.0, 1.0), (0.1, 1.0))))
    tensors = {name: tensor.half() for name, tensor in stored_tensors(build_slim(0)).items()}
    save_file(tensors, path, {"network": NETWORK_NAME, "calibration": calibration})
    return path


@pytest.fixture
def images() -> list[NDArray[np.uint8]]:
    """Three textured images of two sizes."""
    return [make_texture(seed, height, width) for seed, (height, width) in enumerate([(40, 48), (56, 40), (40, 48)])]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with ten images in two levels."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for number in range(10):
        place = folder / "more" if number % 2 else folder
        save_image(place / f"{number:02d}.png", make_texture(number, 32, 32 + 8 * (number % 3)))
    return folder


def make_texture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Smooth random colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def save_image(path: Path, image: NDArray[np.uint8]) -> None:
    assert cv2.imwrite(str(path), image[:, :, ::-1])


class BrightSpot:
    """An estimator whose every joint is the brightest pixel of one channel: quick, and easy to foresee."""

    name = "bright-spot"
    weights_sha256 = "0" * 64
    enough: int | None = None
    batch_size = 2

    def __init__(self, one_size: bool = True) -> None:
        self._one_size = one_size
        self.parameters: dict[str, object] = {}
        self.batches: list[list[tuple[int, ...]]] = []

    def bucket(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self._one_size else ()

    def estimate(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        self.batches.append([image.shape for image in images])
        return [Detection.from_peaks(*self._spot(image)) for image in images]

    def _spot(self, image: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        assert image.flags.c_contiguous
        channels = [image[:, :, joint % 3] for joint in range(21)]
        rows, columns = np.array([np.unravel_index(one.argmax(), one.shape) for one in channels]).T
        return np.stack([columns, rows], axis=1) + 0.5, np.linspace(-0.1, 1.1, 21)


@pytest.fixture
def bright_spot() -> type[BrightSpot]:
    """The class of that estimator."""
    return BrightSpot


@pytest.fixture(name="texture")
def texture_fixture() -> Callable[[int, int, int], NDArray[np.uint8]]:
    """Make an image of smooth random colours: seed, height, width."""
    return make_texture


@pytest.fixture(name="write_image")
def write_image_fixture() -> Callable[[Path, NDArray[np.uint8]], None]:
    """Write an RGB image: path, image."""
    return save_image


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More photographs than a run gets through while its first shards appear."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        save_image(folder / f"{number:03d}.png", make_texture(number, 32, 32))
    return folder


_RESTING = """
import os
import signal
import time
from s2hand.datasets.shards import ShardStore
from s2hand.detect.__main__ import main
write = ShardStore.write
def write_and_rest(store, number, *arguments):
    if str(number) == os.environ.get("DEADLY_SHARD"):
        os._exit(1)
    write(store, number, *arguments)
    time.sleep(0.1)
ShardStore.write = write_and_rest
if __name__ == "__main__":
    # A shell that runs the tests in the background has them ignore Ctrl-C, and whatever they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
"""


@pytest.fixture
def start_detect(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start `detect run` as a process of its own, a shard per image, and return it once `ready()` is true.

    It rests after each shard, and so do processes that it starts itself: it is still at work then, however quick the
    machine.
    """
    script = tmp_path / "resting_detect.py"
    script.write_text(_RESTING)

    def start(images: Path, out: Path, weights: Path, ready: Callable[[], bool], *more: str) -> subprocess.Popen[str]:
        options = {"images": images, "out": out, "weights": weights, "shard-size": 1, "device": "cpu"}
        process = subprocess.Popen(
            [sys.executable, script, "run", *(f"--{key}={value}" for key, value in options.items()), *more],
            start_new_session=True,  # for signals to all of it, as a terminal sends them
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        deadline = time.monotonic() + 300
        while not ready():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return process

    return start


@pytest.fixture(scope="session")
def natural_hands() -> NDArray[np.float32]:
    """[16, 21, 3] true keypoints of drawn hands in pictures of 128 pixels, all of confidence 0.9."""
    labels = json.loads((REFERENCE / "slim_hands" / "labels.json").read_text())
    places = np.array([label["uv"] for label in labels.values()], np.float32)
    return np.concatenate([places, np.full((*places.shape[:2], 1), 0.9, np.float32)], axis=2)


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a finished run: image name to its hands (right or left, box, keypoints), `per_shard` images in a shard.

    A name without hands is an image in which none was found; `failures` are images that can't be read, and why.
    """

    def write(
        images: Mapping[str, Sequence[tuple[Hand, Box, NDArray[np.float32]]]],
        failures: Mapping[str, str] | None = None,
        size: int = 128,
        per_shard: int = 3,
        folder: str = "shards",
    ) -> Path:
        failed = dict(failures or {})
        names = sorted([*images, *failed])
        chunks = [names[first : first + per_shard] for first in range(0, len(names), per_shard)]
        store = ShardStore(tmp_path / folder, Provenance("bright-spot", "0" * 64, {}, "c"))
        with store.writing():
            for number, chunk in enumerate(chunks):
                rows = [
                    HandRow(name, "a" * 64, size, size, hand, index, box, keypoints)
                    for name in chunk
                    for index, (hand, box, keypoints) in enumerate(images.get(name, []))
                ]
                sources = [Source(name, 1, "a" * 64) for name in chunk]
                store.write(number, sources, rows, [Failure(name, failed[name]) for name in chunk if name in failed])
            store.finish(len(chunks))
        return store.folder

    return write
