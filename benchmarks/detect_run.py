"""Whole detection runs: images/s with one and more processes, and the peak of memory as the folder grows.

    python benchmarks/detect_run.py [--images 2000 20000] [--workers 1 2]

The photographs are few, under many names: their content does not matter here. Weights are the slim ones.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from report import Value, write_results

DISTINCT = 100


def make_photographs(folder: Path, count: int, side: int) -> None:
    """Fill a folder with JPEG files of smooth random colours, most of them links to the first ones."""
    folder.mkdir(parents=True)
    for number in range(count):
        path, first = folder / f"{number:06d}.jpg", folder / f"{number % DISTINCT:06d}.jpg"
        if number >= DISTINCT:
            os.link(first, path)
            continue
        coarse = np.random.default_rng(number).integers(40, 215, (12, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def measure(images: Path, out: Path, workers: int) -> tuple[float, float]:
    """Run detection in a process of its own; return seconds and the peak of its memory in MB."""
    command = ["from s2hand.detect.__main__ import main; main()", "run", f"--images={images}", f"--out={out}"]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", *command, f"--workers={workers}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"detect run ended with status {status}")
    return time.monotonic() - begun, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and write benchmarks/results/detect_run.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--side", type=int, default=224)
    arguments = parser.parse_args()
    rows: list[dict[str, Value]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for count in arguments.images:
            photographs = Path(temporary) / str(count)
            make_photographs(photographs, count, arguments.side)
            for workers in arguments.workers:
                seconds, peak = measure(photographs, Path(temporary) / f"out-{count}-{workers}", workers)
                rows.append(
                    {
                        "images": count,
                        "workers": workers,
                        "seconds": round(seconds, 1),
                        "images_per_s": round(count / seconds, 1),
                        "peak_mb": round(peak),
                    }
                )
    notes = f"{arguments.side} x {arguments.side} JPEG, slim weights; the peak is that of the process that was started"
    write_results("detect_run", rows, notes)


if __name__ == "__main__":
    main()
