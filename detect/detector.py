"""`HandDetector`: keypoints of the hand in each image, whatever the network behind it.

Each image is one hand. A right hand is what the networks know; for a left one the image is mirrored before
and the keypoints are mirrored back after, here and nowhere else.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import mirror_image, mirror_points_px
from s2hand.datasets.records import HANDS, Hand
from s2hand.detect.detection import Detection, KeypointEstimator
from s2hand.detect.memory import Batches, is_out_of_memory
from s2hand.detect.openpose_estimator import OpenPoseEstimator
from s2hand.detect.variants import SCALES, Precision, Variant
from s2hand.detect.weights import KEYPOINT_KINDS, SLIM, read_weights

__all__ = ["Detection", "HandDetector", "KeypointEstimator", "image_problem", "load_estimator"]

MAX_ASPECT = 16  # longer side over shorter; beyond it, an image is no picture of a hand


class HandDetector:
    """Detects one hand per image.

    Examples:
        >>> from pathlib import Path
        >>> from s2hand.datasets.images import read_image
        >>> from s2hand.detect import HandDetector
        >>> detector = HandDetector.load("slim")
        >>> image = read_image(Path("photographs/one.jpg"))  # [H, W, 3] uint8 RGB
        >>> (hand,) = detector.detect([image])
        >>> hand.xy.shape, hand.confidence.shape  # pixels, in [0, 1]
        ((21, 2), (21,))
    """

    def __init__(self, estimator: KeypointEstimator, batch_size: int | None = None) -> None:
        self.estimator = estimator
        self.batch_size = batch_size or estimator.batch_size
        self._batches = Batches(self.batch_size)

    @classmethod
    def load(
        cls,
        source: str | Path = SLIM,
        device: str = "cpu",
        *,
        scales: Sequence[float] = SCALES,
        variant: Variant = "openpose",
        batch_size: int | None = None,
        precision: Precision = "auto",
        compile: bool = False,  # noqa: A002
    ) -> "HandDetector":
        """Load a detector.

        Args:
            source: `slim` for the packaged weights, or the path of a weight file; its content tells the network.
            device: `cpu`, `cuda`, `cuda:1`, ..., or `auto` for the GPU if there is one.
            scales: of the OpenPose network only: heights at which it sees an image, in units of 368 pixels.
            variant: of the OpenPose network only: the published code whose peaks to reproduce, `openpose` or `s2hand`.
            batch_size: images per call of the network; by default what suits network and device. Batches that do not
                fit the memory are halved.
            precision: what the network computes in: `float32`, `bfloat16`, or `auto` for what suits the hardware.
            compile: of the OpenPose network only: compile it for each size of its input.

        Raises:
            ValueError: a weight file that is none, or a device that is not there.
        """
        return cls(load_estimator(source, find_device(device), scales, variant, precision, compile), batch_size)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the settings that change the results, JSON-able."""
        return self.estimator.parameters

    def detect(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, of any sizes
        hand: Hand = "right",
    ) -> list[Detection]:
        """Detect the hand in each image, in order; all are right hands, or all are left ones."""
        if hand not in HANDS:
            raise ValueError(f"hand: expected right or left, found {hand!r}")
        for index, image in enumerate(images):
            problem = image_problem(image)
            if problem:
                raise ValueError(f"images[{index}]: {problem}")
        if hand == "right":
            return self._detect_right(images)
        mirrored = self._detect_right([mirror_image(image) for image in images])
        return [
            replace(one, xy=mirror_points_px(one.xy, image.shape[1]).astype(np.float32))
            for one, image in zip(mirrored, images, strict=True)
        ]

    def _detect_right(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Hand the images over in batches that the estimator takes, and put the answers back in order."""
        buckets: dict[Hashable, list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            buckets[self.estimator.bucket(image.shape)].append(index)
        found: dict[int, Detection] = {}
        for indices in buckets.values():
            answers = self._batches.process(self._estimate, [images[index] for index in indices])
            found.update(zip(indices, answers, strict=True))
        return [found[index] for index in range(len(images))]

    def _estimate(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        try:
            return self.estimator.estimate([np.ascontiguousarray(image) for image in images])
        except (RuntimeError, MemoryError) as error:
            if len(images) > 1 or not is_out_of_memory(error):
                raise
            height, width = images[0].shape[:2]
            raise ValueError(
                f"image of {width} x {height} pixels: expected it to fit the memory, found it too large even alone; "
                "crop it to the hand, use smaller scales or another device"
            ) from error


def load_estimator(
    source: str | Path,
    device: torch.device,
    scales: Sequence[float],
    variant: Variant,
    precision: Precision,
    compiled: bool,
) -> KeypointEstimator:
    """Read a weight file and build the network that its content belongs to."""
    weights = read_weights(source, KEYPOINT_KINDS)
    if weights.kind == "openpose-hand":
        return OpenPoseEstimator.from_weights(weights, device, scales, variant, precision, compiled)
    from s2hand.detect.slim_estimator import SlimEstimator

    return SlimEstimator.from_weights(weights, device, precision)


def find_device(name: str) -> torch.device:
    """Return the device of that name (`auto`: the GPU if there is one); ValueError if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:N, found {name!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: {name!r} is not there: found {torch.cuda.device_count()} GPUs; use cpu or auto")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:N, found {name!r}")
    return device


def image_problem(image: NDArray[np.uint8]) -> str | None:
    """Say why an array is no image to look for a hand in, or None."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        return f"expected an RGB image, uint8 [H, W, 3], found {image.dtype} {image.shape}"
    return size_problem(image.shape[1], image.shape[0])


def size_problem(width: int, height: int) -> str | None:
    """Say why a picture of that size in pixels is none to look for a hand in, or None."""
    if min(height, width) < 1 or max(height, width) > MAX_ASPECT * min(height, width):
        return f"{width} x {height} pixels: expected a picture with sides of at most {MAX_ASPECT} : 1; crop it"
    return None
