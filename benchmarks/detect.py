"""Stage times of detection: slim and OpenPose networks, and what surrounds them, fast paths beside readable twins.

    python benchmarks/detect.py [--device cuda] [--threads 2] [--repeats 1]

The weights are random numbers: times do not depend on them. Times are per image, in batches of the detector's size.
"""

import argparse
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from report import Value, median_ms, write_results

from s2hand.datasets.images import decode_image
from s2hand.detect import reference
from s2hand.detect.blocks import stored_tensors
from s2hand.detect.detector import find_device
from s2hand.detect.heatmaps import make_merger
from s2hand.detect.openpose import network_from_published, published_shapes
from s2hand.detect.openpose_estimator import OpenPoseEstimator
from s2hand.detect.peaks import find_peaks
from s2hand.detect.pyramid import Level, level_images, network_input, plan_level
from s2hand.detect.slim import build_slim, slim_from_tensors
from s2hand.detect.slim_decode import Calibration
from s2hand.detect.slim_estimator import SlimEstimator
from s2hand.detect.variants import SCALES, THRESHOLDS

Row = Mapping[str, Value]
Image = NDArray[np.uint8]


def photograph(height: int, width: int) -> Image:
    """Return smooth random colours with some noise."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 215, (12, 12, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth + generator.integers(0, 20, smooth.shape, dtype=np.uint8)).astype(np.uint8)


def row(detector: str, stage: str, size: str, time_ms: float, twin_ms: float | None = None) -> Row:
    """One line of the table."""
    ratio = None if twin_ms is None else round(time_ms / twin_ms, 3)
    return {
        "detector": detector,
        "stage": stage,
        "image": size,
        "time_ms": round(time_ms, 3),
        "images_per_s": round(1000 / time_ms, 1),
        "twin_ms": None if twin_ms is None else round(twin_ms, 3),
        "of_twin": ratio,
    }


def slim_rows(image: Image, device: torch.device) -> Iterator[Row]:
    """Time decoding, the estimator as a whole, and its network alone."""
    size = f"{image.shape[1]} x {image.shape[0]}"
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    yield row("any", "decode JPEG", size, median_ms(lambda: decode_image(jpeg, "benchmark"), 200))
    network = slim_from_tensors(stored_tensors(build_slim(0)))
    estimator = SlimEstimator(network, Calibration((0.0, 1.0), (0.0, 1.0)), "0" * 64, device)
    batch = [image] * estimator.batch_size
    yield row("slim", "all", size, median_ms(lambda: estimator.estimate(batch), 10) / len(batch))


def openpose_rows(estimator: OpenPoseEstimator, image: Image, device: torch.device, repeats: int) -> Iterator[Row]:
    """Time pyramid, network per scale, and the path from maps to peaks."""
    height, width, _ = image.shape
    size = f"{width} x {height}"
    levels = [plan_level(height, width, scale) for scale in SCALES]
    batch = [image] * estimator.batch_size

    def pyramid() -> None:
        for level in levels:
            network_input(level_images(batch, level), device)

    yield row("openpose", "pyramid", size, median_ms(pyramid) / len(batch))
    for scale, level in zip(SCALES, levels, strict=True):

        def network(level: Level = level) -> None:
            estimator.maps(batch, [level])[0].sum().item()  # waits for the device

        yield row("openpose", f"network, scale {scale}", size, median_ms(network, repeats, repeats - 1) / len(batch))
    yield from peak_rows(levels, size, device)


def peak_rows(levels: list[Level], size: str, device: torch.device) -> Iterator[Row]:
    """Time merging, smoothing and peaks of one image's 21 maps, beside OpenCV and SciPy step by step."""
    maps = [blobs(*level.cells) for level in levels]
    tensors = [torch.from_numpy(one).to(device) for one in maps]
    merger = make_merger(levels, device)
    threshold = THRESHOLDS["openpose"]

    def merge() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return merger.average(tensors).cpu().numpy(), merger.smooth(tensors).cpu().numpy()

    def merge_twin() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        average = reference.merge_maps(maps, levels)
        return average, reference.smooth_maps(average)

    fast, slow = merge(), merge_twin()
    merge_ms, merge_twin_ms = median_ms(merge), median_ms(merge_twin, 5, 1)
    peaks_ms = median_ms(lambda: find_peaks(*fast, threshold))
    peaks_twin_ms = median_ms(lambda: reference.find_peaks(*slow, threshold), 5, 1)
    yield row("openpose", "merge and smooth", size, merge_ms, merge_twin_ms)
    yield row("openpose", "peaks", size, peaks_ms, peaks_twin_ms)
    yield row("openpose", "all but network", size, merge_ms + peaks_ms, merge_twin_ms + peaks_twin_ms)


def blobs(rows: int, columns: int) -> NDArray[np.float32]:
    """Return 21 maps with two bumps each, as the network's are."""
    generator = np.random.default_rng(1)
    y, x = np.mgrid[0:rows, 0:columns]
    maps = np.zeros((21, rows, columns))
    for one in maps:
        for height in (0.8, 0.3):
            centre = generator.random(2) * (rows, columns)
            one += height * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (rows / 15) ** 2)
    return maps.astype(np.float32)


def main() -> None:
    """Measure and write benchmarks/results/detect.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=1, help="of the OpenPose network; seconds each on a CPU")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = find_device(arguments.device)
    generator = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=generator) * 0.02 for name, shape in published_shapes().items()}
    estimator = OpenPoseEstimator(network_from_published(tensors), "0" * 64, device)
    crop, photo = photograph(224, 224), photograph(480, 640)
    rows = [*slim_rows(crop, device), *slim_rows(photo, device)]
    rows += openpose_rows(estimator, crop, device, arguments.repeats)
    rows += peak_rows([plan_level(480, 640, scale) for scale in SCALES], "640 x 480", device)
    write_results("detect", rows, f"device {device}, {arguments.threads} threads; times per image; random weights")


if __name__ == "__main__":
    main()
