"""What a miniature data set shows: photographs with their camera and their hand, in our axes and joint order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Shot:
    """A photograph of a right hand and the truth about it, in metres and pixels."""

    image: NDArray[np.uint8]  # [H, W, 3] RGB
    K: NDArray[np.float64]  # [3, 3]
    joints: NDArray[np.float64]  # [21, 3]
    vertices: NDArray[np.float64]  # [778, 3]


def some_shots(count: int, seed: int = 0, size: tuple[int, int] = (48, 64)) -> list[Shot]:
    """Shots of nothing hand-like, all different, by cameras that differ: points half a metre in front of them."""
    generator = np.random.default_rng(seed)
    height, width = size
    shots = []
    for number in range(count):
        image = np.full((height, width, 3), generator.integers(0, 256, 3), np.uint8)
        K = np.array([[width + number, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]])
        points = generator.uniform((-0.08, -0.08, 0.42), (0.08, 0.08, 0.58), (799, 3)).round(4)
        shots.append(Shot(image, K, points[:21], points[21:]))
    return shots
