"""Between our continuous pixels and the formats that count pixels.

Ours: the centre of the first pixel is at 0.5. Theirs (keypoints of COCO, OpenPose, the authors' lists): a keypoint is
a pixel's index, so the centre of the first pixel is at 0. Boxes are continuous on both sides.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FIRST_CENTRE = 0.5
_DECIMALS = (3, 6, 9)


def to_indices(xy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return continuous pixels as pixel indices, with as few decimals as give the same float32 back."""
    return few_decimals(xy, FIRST_CENTRE)


def from_indices(xy: ArrayLike) -> NDArray[np.float32]:
    """Return pixel indices as continuous pixels."""
    return (np.asarray(xy, np.float64) + FIRST_CENTRE).astype(np.float32)


def few_decimals(values: NDArray[np.float32], shift: float = 0.0) -> NDArray[np.float64]:
    """Return `values - shift` for a text file: with 3, 6, 9 decimals where these, `+ shift`, give `values` back.

    Any other number is returned in full. NaN stays NaN.
    """
    exact: NDArray[np.float64] = values.astype(np.float64) - shift
    result = exact.copy()
    open_: NDArray[Any] = np.isfinite(exact)
    for decimals in _DECIMALS:
        rounded = np.round(exact, decimals)
        settled = open_ & ((rounded + shift).astype(np.float32) == values)
        result[settled] = rounded[settled]
        open_ &= ~settled
    return result
