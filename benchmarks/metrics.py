"""How long evaluation takes at the size of FreiHAND's evaluation set: 3,960 hands with all their vertices.

Run `python benchmarks/metrics.py`; it writes benchmarks/results/metrics.json. The official script takes 48 CPU
seconds for as many.
"""

import time

import numpy as np
from report import write_results

from s2hand.train.metrics import evaluate_hands

SAMPLES = 3960


def main() -> None:
    """Measure hands that are wrong by a shift, a scale and some noise."""
    rng = np.random.default_rng(0)
    true = [0.05 * rng.standard_normal((SAMPLES, n, 3)) for n in (21, 778)]
    shift = 0.01 * rng.standard_normal((SAMPLES, 1, 3))
    predicted = [1.05 * array + shift + 0.005 * rng.standard_normal(array.shape) for array in true]
    arguments = predicted[0], true[0], predicted[1], true[1]
    evaluate_hands(*(array[:8] for array in arguments))  # compiles
    wall, processor = time.perf_counter(), time.process_time()
    evaluate_hands(*arguments)
    row = {
        "samples": SAMPLES,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - processor,
    }
    write_results("metrics", [row], "joints and vertices, plain, relative to the wrist and aligned, with F-scores")


if __name__ == "__main__":
    main()
