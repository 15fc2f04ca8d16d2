"""Points and colours of a hand in few characters: numbers of 16 or 8 bits, as base64."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

_LARGEST = 32767


def encode_points(points: Floats, centre: Floats) -> dict[str, Any]:
    """Return points [P, 3] in metres around a centre [3]: `step`, centimetres, times the int16 numbers in `data`."""
    around = 100.0 * (np.asarray(points, np.float64) - centre)
    step = max(float(np.abs(around).max()) / _LARGEST, 1e-6)
    return {"step": float(f"{step:.9g}"), "data": _text(np.round(around / step).clip(-_LARGEST, _LARGEST), "<i2")}


def encode_colors(colors: Floats) -> str:
    """Return colours [V, 3] in [0, 1] as bytes."""
    return _text(np.round(255 * np.clip(colors, 0, 1)), "u1")


def encode_faces(faces: NDArray[np.integer[Any]]) -> str:
    """Return faces [F, 3] as uint16."""
    return _text(faces, "<u2")


def _text(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")
