"""How many points of one set have a point of the other within a distance: the heart of the F-score.

Brute force over all pairs (numba): 778 points are too few for a tree to pay. The kernel is serial and
releases the interpreter's lock; plain threads spread the samples over the cores and end with the call, so
that a later fork (a data loader's) finds none. The readable twin, with a k-d tree, is in the tests.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.process import core_count

Floats = NDArray[np.float64]


def shares_within(points: Floats, others: Floats, distances: Floats) -> Floats:
    """The share of `points` [N, V, 3] whose nearest one of `others` [N, W, 3] is nearer than each of
    `distances`.

    Returns [N, D] for the D distances; "nearer" is strict.
    """
    counts = np.zeros((len(points), len(distances)), np.int64)
    points = np.ascontiguousarray(points, np.float64)
    by_axis = np.ascontiguousarray(others.transpose(0, 2, 1), np.float64)
    squares = np.asarray(distances, np.float64) ** 2
    workers = max(1, min(len(points), core_count()))
    chunks = [slice(k * len(points) // workers, (k + 1) * len(points) // workers) for k in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda part: _count_within(points[part], by_axis[part], squares, counts[part]), chunks))
    shares: Floats = counts / points.shape[1]
    return shares


@numba.njit(cache=True, nogil=True)
def _count_within(points: Floats, others: Floats, squares: Floats, counts: NDArray[np.int64]) -> None:
    """Add to `counts` [N, D] the points [N, V, 3] near one of `others` [N, 3, W]; squared distances [D]."""
    width = others.shape[2]
    for sample in range(points.shape[0]):
        xs, ys, zs = others[sample, 0], others[sample, 1], others[sample, 2]
        for p in range(points.shape[1]):
            x, y, z = points[sample, p]
            # Meshes of one topology: the vertex of the same number is often near enough to need no search.
            same = (xs[p] - x) ** 2 + (ys[p] - y) ** 2 + (zs[p] - z) ** 2 if p < width else np.inf
            for d in range(squares.size):
                hits = 1
                if same >= squares[d]:
                    # A sum of comparisons becomes vector instructions, a search that stops early or a minimum
                    # does not: this is five times as fast.
                    hits = 0
                    for q in range(width):
                        dx, dy, dz = xs[q] - x, ys[q] - y, zs[q] - z
                        hits += dx * dx + dy * dy + dz * dz < squares[d]
                counts[sample, d] += hits > 0
