"""How well a network finds joints: errors in units of the hand's size, and how sure it should be.

The unit of an error is the longer side of the box around the true joints of its hand, so that hands of all sizes count
alike.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from s2hand.detect.fit.engine import to_input
from s2hand.detect.fit.samples import Samples
from s2hand.detect.slim import INPUT_SIZE
from s2hand.detect.slim_decode import Calibration, decode

NEAR = 0.1
"""A joint counts as found within this distance; what a confidence stands for."""

_CHUNK = 50
_BINS = 20


@dataclass(frozen=True, eq=False)
class Measured:
    """Errors and beliefs of the joints whose true place is known, M of them."""

    errors: NDArray[np.float32]  # [M] in units of the hand's size
    beliefs: NDArray[np.float32]  # [M] in [0, 1]


def hand_sizes(points: NDArray[np.floating]) -> NDArray[np.floating]:  # [N, 21, 2] -> [N]
    """Return the longer side of the box around each hand's joints."""
    sizes: NDArray[np.floating] = (np.nanmax(points, 1) - np.nanmin(points, 1)).max(-1)
    return sizes


def measure(network: nn.Module, samples: Samples, bf16: bool, pool: ThreadPoolExecutor) -> Measured:
    """Run the network over samples, as they are, in the threads of `pool`; joints outside count like the others."""
    network.eval()

    def run(first: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        images = np.array(samples.images[first : first + _CHUNK])  # a copy: torch wants to own what it is given
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = network(to_input(images))
            places, belief = decode(logits)
        return places.numpy() * INPUT_SIZE, belief.numpy()

    found = list(pool.map(run, range(0, len(samples), _CHUNK)))
    places, beliefs = (np.concatenate(part) for part in zip(*found, strict=True))
    errors = np.linalg.norm(places - samples.points, axis=-1) / hand_sizes(samples.points)[:, None]
    known = np.isfinite(errors)
    return Measured(errors[known].astype(np.float32), beliefs[known])


def summarize(
    errors: NDArray[np.floating], confidence: NDArray[np.floating]
) -> Mapping[str, float]:  # any shape, alike
    """Return mean and median error, the shares within .05, .1 and .2, and the mean by quarter of confidence."""
    summary = {"mean": float(errors.mean()), "median": float(np.median(errors))}
    summary |= {f"within_{share:g}": float((errors < share).mean()) for share in (0.05, 0.1, 0.2)}
    surest_first = errors.ravel()[np.argsort(-confidence.ravel(), kind="stable")]
    quarters = np.array_split(surest_first, 4)
    return summary | {f"mean_quarter_{i}": float(quarter.mean()) for i, quarter in enumerate(quarters, 1)}


def calibrate(measured: Measured) -> Calibration:
    """Fit the map from belief to the share of joints within NEAR, by isotonic regression over equally full bins."""
    order = np.argsort(measured.beliefs, kind="stable")
    beliefs = np.array_split(measured.beliefs[order], _BINS)
    near = np.array_split((measured.errors < NEAR)[order], _BINS)
    shares = _rising(np.array([bin_.mean() for bin_ in near]), np.array([len(bin_) for bin_ in near]))
    middles = np.array([bin_.mean() for bin_ in beliefs])
    # Belief 0 is no belief: the map starts at confidence 0, so that nothing found is nothing sure.
    return Calibration(
        (0.0, *(round(float(value), 5) for value in middles), 1.0),
        (0.0, *(round(float(value), 4) for value in shares), round(float(shares[-1]), 4)),
    )


def _rising(values: NDArray[np.floating], weights: NDArray[np.integer]) -> NDArray[np.floating]:
    """Return the closest never-falling sequence: neighbours in the wrong order are replaced by their mean."""
    pools: list[tuple[float, int, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2], pools[-1]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.repeat([mean for mean, _, _ in pools], [length for _, _, length in pools])
