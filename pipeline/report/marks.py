"""Keypoints as SVG: each set has a colour and a shape of its own, so that they are told apart without colours too."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.skeleton import BONES

Floats = NDArray[np.floating[Any]]

_SIZE = 4  # pixels from a mark's middle to its edge
SHAPES = {
    "circle": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0",
    "square": "m-{r}-{r}h{d}v{d}h-{d}z",
    "cross": "m-{r}-{r}l{d} {d}m-{d} 0l{d}-{d}",
}
"""What is drawn from a mark's middle on, in the language of SVG paths."""


def marks(keypoints: Floats, shape: str) -> str:
    """Return the path of a mark at each of keypoints [21, 2]; none where they are NaN."""
    drawn = SHAPES[shape].format(r=_SIZE, d=2 * _SIZE)
    return "".join(f"M{_place(xy)}{drawn}" for xy in keypoints if np.isfinite(xy).all())


def bones(keypoints: Floats) -> str:
    """Return the path of the bones between keypoints [21, 2]; none to those that are NaN."""
    ends = (keypoints[[parent, child]] for parent, child in BONES)
    return "".join(f"M{_place(start)}L{_place(end)}" for start, end in ends if np.isfinite([start, end]).all())


def _place(xy: Floats) -> str:
    return " ".join(f"{value:.1f}".removesuffix(".0") for value in xy)
