"""Stage times of detection: slim and OpenPose networks, and what surrounds them, beside the published way.

    python benchmarks/detect.py [--device cuda] [--threads 2] [--repeats 1] [--clock cpu] [--precision float32]

The weights are random numbers: times do not depend on them. Times are per image, in batches of the detector's size.
The published way is one image at a time: OpenCV's resize for each scale, the network in float32 with channels first,
maps enlarged, smoothed and searched by OpenCV and SciPy (`s2hand.detect.reference`).

The peak that shares refer to is measured too: a product of large matrices in the network's precision.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from report import Value, median_ms, write_results
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from s2hand.datasets.images import decode_image
from s2hand.detect import reference
from s2hand.detect.detector import find_device
from s2hand.detect.heatmaps import make_merger
from s2hand.detect.openpose import HandNetwork, network_from_published, published_shapes
from s2hand.detect.openpose_estimator import OpenPoseEstimator
from s2hand.detect.peaks import Peaks, find_peaks
from s2hand.detect.precision import resolve_precision
from s2hand.detect.pyramid import Level, Plan, plan_levels
from s2hand.detect.slim import build_slim, slim_from_tensors, stored_tensors
from s2hand.detect.slim_decode import Calibration
from s2hand.detect.slim_estimator import SlimEstimator
from s2hand.detect.variants import SCALES, THRESHOLDS, Precision

Row = Mapping[str, Value]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Bench:
    """Where and how times are taken."""

    device: torch.device
    precision: Precision
    clock: Callable[[], float]
    repeats: int  # of the OpenPose network

    def ms(self, call: Callable[[], object], repeats: int = 20, warm_up: int = 3) -> float:
        """Median time of a call; on a GPU until it has finished."""
        return median_ms(call, repeats, warm_up, self.clock, self.device.type)

    def peak_tflops(self) -> float:
        """Rate of a product of two large matrices in the network's precision, 10^12 operations per second."""
        side = 2048 if self.device.type == "cpu" else 8192
        dtype = resolve_precision(self.precision, self.device)
        matrix = torch.ones(side, side, device=self.device, dtype=dtype)
        return 2 * side**3 / self.ms(lambda: matrix @ matrix, 10) / 1e9


def photograph(height: int, width: int) -> Image:
    """Return smooth random colours with some noise."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(40, 215, (12, 12, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth + generator.integers(0, 20, smooth.shape, dtype=np.uint8)).astype(np.uint8)


def row(
    detector: str, stage: str, image: str, time_ms: float, twin_ms: float | None = None, share: float | None = None
) -> Row:
    """One line of the table; share: of the peak that the device has."""
    return {
        "detector": detector,
        "stage": stage,
        "image": image,
        "time_ms": round(time_ms, 3),
        "images_per_s": round(1000 / time_ms, 2),
        "twin_ms": None if twin_ms is None else round(twin_ms, 3),
        "of_twin": None if twin_ms is None else round(time_ms / twin_ms, 3),
        "share_of_peak": None if share is None else round(share, 3),
    }


def size_of(image: Image) -> str:
    """Width and height in words."""
    return f"{image.shape[1]} x {image.shape[0]}"


def slim_rows(bench: Bench, image: Image) -> Iterator[Row]:
    """Time decoding, and the slim estimator as a whole."""
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    yield row("any", "decode JPEG", size_of(image), bench.ms(lambda: decode_image(jpeg, "benchmark"), 200))
    network = slim_from_tensors(stored_tensors(build_slim(0)))
    calibration = Calibration((0.0, 1.0), (0.0, 1.0))
    estimator = SlimEstimator(network, calibration, "0" * 64, bench.device, bench.precision)
    batch = [image] * estimator.batch_size
    yield row("slim", "all", size_of(image), bench.ms(lambda: estimator.estimate(batch), 10) / len(batch))


def openpose_rows(bench: Bench, tensors: Mapping[str, Tensor], image: Image) -> Iterator[Row]:
    """Time pyramid, network per scale, the path from maps to peaks, and the sums of all that."""
    estimator = OpenPoseEstimator(network_from_published(tensors), "0" * 64, bench.device, precision=bench.precision)
    plan = plan_levels(*image.shape[:2], SCALES)
    size, count = size_of(image), estimator.batch_size
    batch, plans = [image] * count, [plan] * count
    outside = [
        bench.ms(lambda: list(estimator.inputs(batch, plans))) / count,
        bench.ms(lambda: [reference.network_input(image, level) for level in plan]),
    ]
    yield row("openpose", "pyramid", size, *outside)
    inside = [0.0, 0.0]
    peak = bench.peak_tflops() * 1e9  # per millisecond
    published = network_from_published(tensors).to(bench.device)
    for scale, level, fast in zip(SCALES, plan, estimator.inputs(batch, plans), strict=True):
        times = network_times(bench, estimator, fast, published, reference.network_input(image, level))
        inside = [inside[0] + times[0], inside[1] + times[1]]
        yield row("openpose", f"network, scale {scale}", size, *times, flops([level]) / times[0] / peak)
    yield row("openpose", "network, all scales", size, *inside, flops(plan) / inside[0] / peak)
    for one in peak_rows(bench, plan, size):
        yield one
        outside = [outside[0] + float(one["time_ms"] or 0), outside[1] + float(one["twin_ms"] or 0)]
    yield row("openpose", "all but network", size, *outside)
    whole = bench.ms(lambda: estimator.estimate(batch), bench.repeats, bench.repeats - 1) / count
    yield row("openpose", "all", size, whole, outside[1] + inside[1], flops(plan) / whole / peak)


@torch.inference_mode()
def network_times(
    bench: Bench, estimator: OpenPoseEstimator, batch: Tensor, published: HandNetwork, image: Tensor
) -> tuple[float, float]:
    """Time the network per image, and as published, one image at a time."""
    image = image.to(bench.device)
    repeats, warm_up = bench.repeats, bench.repeats - 1
    fast = bench.ms(lambda: estimator.maps(batch), repeats, warm_up) / len(batch)
    return fast, bench.ms(lambda: published(image), repeats, warm_up)


def flops(levels: Plan | list[Level]) -> int:
    """Count the operations of the network for one image: two for each product and sum."""
    with torch.device("meta"):
        network = HandNetwork()
        inputs = [torch.empty(1, 3, *level.padded) for level in levels]
    with FlopCounterMode(display=False) as counter:
        for one in inputs:
            network(one)
    return counter.get_total_flops()


def peak_rows(bench: Bench, plan: Plan, size: str) -> Iterator[Row]:
    """Time merging, smoothing and peaks of one image's 21 maps, beside OpenCV and SciPy step by step."""
    maps = [blobs(*level.cells) for level in plan]
    tensors = [torch.from_numpy(one).to(bench.device) for one in maps]
    merger = make_merger(plan, bench.device)
    threshold = THRESHOLDS["openpose"]

    def merge() -> tuple[Tensor, Tensor]:
        return merger.average(tensors), merger.smooth(tensors)

    def merge_twin() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        average = reference.merge_maps(maps, plan)
        return average, reference.smooth_maps(average)

    def search() -> Peaks:
        return find_peaks(*fast, threshold)

    fast, slow = merge(), merge_twin()
    yield row("openpose", "merge and smooth", size, bench.ms(merge), bench.ms(merge_twin, 5, 1))
    twin_ms = bench.ms(lambda: reference.find_peaks(*slow, threshold), 5, 1)
    yield row("openpose", "peaks", size, bench.ms(search), twin_ms)


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
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--clock", default="wall", choices=("wall", "cpu"), help="cpu: seconds of the processor")
    parser.add_argument("--notes", default="", help="on the circumstances, for the file of results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = find_device(arguments.device)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    bench = Bench(device, arguments.precision, clock, arguments.repeats)
    generator = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=generator) * 0.02 for name, shape in published_shapes().items()}
    crop, photo = photograph(224, 224), photograph(480, 640)
    rows = [*slim_rows(bench, crop), *slim_rows(bench, photo), *openpose_rows(bench, tensors, crop)]
    rows += peak_rows(bench, plan_levels(480, 640, SCALES), size_of(photo))
    notes = (
        f"device {device}, {arguments.threads} threads, {resolve_precision(bench.precision, device)}, "
        f"{arguments.clock} time per image; random weights; peak {bench.peak_tflops():.3f} TFLOP/s, of a product of "
        f"matrices; {flops(plan_levels(224, 224, SCALES)) / 1e12:.2f} TFLOP per image"
    )
    write_results("detect", rows, "; ".join(filter(None, [notes, arguments.notes])))


if __name__ == "__main__":
    main()
