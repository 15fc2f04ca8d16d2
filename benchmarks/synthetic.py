"""How many synthetic photographs are written per second, at the sizes and versions that the project uses.

Run `python benchmarks/synthetic.py`; it writes benchmarks/results/synthetic.json.
"""

import os
import tempfile
import time
from pathlib import Path

from report import Value, write_results

from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

WORKERS = 2
CASES = ((224, 4, 150), (224, 1, 300), (128, 1, 400))  # image size, versions, hands


def write(settings: SyntheticSettings) -> tuple[float, float]:
    """Seconds of wall time and of processor time (this process and its workers) to write one data set."""
    with tempfile.TemporaryDirectory() as folder:
        start, before = time.perf_counter(), os.times()
        make_dataset(settings, Path(folder) / "tree")
        after = os.times()
    busy = sum(after[:4]) - sum(before[:4])
    return time.perf_counter() - start, busy


def measure(size: int, versions: int, hands: int) -> dict[str, Value]:
    """Images per second of a small data set and, without the start of the workers, of a long run.

    The start is what a run with hardly any hands takes; kernels are compiled before.
    """
    settings = SyntheticSettings(train=hands, evaluation=0, image_size=size, versions=versions, workers=WORKERS)
    start_s, start_cpu = write(settings.model_copy(update={"train": 9}))
    whole_s, whole_cpu = write(settings)
    images = (hands - 9) * versions
    return {
        "image_size": size,
        "versions": versions,
        "workers": WORKERS,
        "images_per_s": round(hands * versions / whole_s, 1),
        "images_per_s_after_start": round(images / (whole_s - start_s), 1),
        "cpu_ms_per_image": round((whole_cpu - start_cpu) / images * 1e3, 2),
        "start_s": round(start_s, 1),
    }


def main() -> None:
    """Measure every case."""
    write(SyntheticSettings(train=2, evaluation=0, image_size=64, versions=1, workers=1))
    write_results("synthetic", [measure(*case) for case in CASES], "whole trees, JPEG and JSON included")


if __name__ == "__main__":
    main()
