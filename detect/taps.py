"""Products of a matrix that is mostly zeros with the rows of maps, on a CPU.

A row of the result is a sum of few rows of the maps, those that its taps name. A full product would spend nine
tenths of its time on zeros.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Taps:
    """The entries of a matrix [rows, K] that are not zero, row by row."""

    starts: NDArray[np.int32]  # [rows + 1]: entries starts[i]:starts[i + 1] belong to row i
    columns: NDArray[np.int32]  # [entries]
    weights: NDArray[np.float32]  # [entries]

    @classmethod
    def of(cls, matrix: NDArray[np.floating]) -> "Taps":
        """List the entries of a matrix."""
        sparse = csr_array(matrix)
        return cls(sparse.indptr, sparse.indices, sparse.data.astype(np.float32))

    def apply(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:  # [N, K, W] -> [N, rows, W]
        """Multiply each map from the left. Releases the interpreter's lock."""
        count, _, width = maps.shape
        out = np.empty((count, len(self.starts) - 1, width), np.float32)
        _apply(self.starts, self.columns, self.weights, maps, out)
        return out


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def _apply(
    starts: NDArray[np.int32],
    columns: NDArray[np.int32],
    weights: NDArray[np.float32],
    maps: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Add four rows at a time: the sum is then read and written a quarter as often."""
    count, rows, width = out.shape
    for n in range(count):
        for row in range(rows):
            total = out[n, row]
            total[:] = 0
            at, last = starts[row], starts[row + 1]
            while at + 4 <= last:
                first, second = maps[n, columns[at]], maps[n, columns[at + 1]]
                third, fourth = maps[n, columns[at + 2]], maps[n, columns[at + 3]]
                a, b, c, d = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
                for x in range(width):
                    total[x] += a * first[x] + b * second[x] + c * third[x] + d * fourth[x]
                at += 4
            while at < last:
                one, weight = maps[n, columns[at]], weights[at]
                for x in range(width):
                    total[x] += weight * one[x]
                at += 1
