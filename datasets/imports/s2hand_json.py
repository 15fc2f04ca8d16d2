"""The authors' list `[xy, confidence, names]`: see `exports.s2hand_json`. Each hand's box is its whole image.

A name is a file's, alone or in a list of its own; a whole number n stands for FreiHAND's n-th image, 00000012.jpg.
"""

from pathlib import Path
from typing import Any

import numpy as np

from s2hand.datasets.files import DataError, read_json
from s2hand.datasets.imports.labels import LabelledHand, Labels, is_labelled, joints_from_indices
from s2hand.datasets.records import Hand


def read(labels: Path, images: Path, hand: Hand) -> Labels:
    """Read a file; all its hands are `hand`. An entry of which no joint was found leaves its image without a hand."""
    del images
    value = read_json(labels)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(part, list) for part in value):
        raise DataError(f"{labels}: expected a list of three lists, [xy, confidence, names]")
    lengths = [len(part) for part in value]
    if len(set(lengths)) != 1:
        raise DataError(f"{labels}: expected as many xy as confidences and names, found {lengths}")
    found: Labels = {}
    for index, (xy, confidence, name) in enumerate(zip(*value, strict=True)):
        try:
            keypoints = joints_from_indices(xy, _flat(confidence))
            hands = found.setdefault(_name(name), [])
        except ValueError as error:
            raise DataError(f"{labels}: item {index}: {error}") from None
        if is_labelled(keypoints):
            hands.append(LabelledHand(hand, keypoints, None))
    return found


def _flat(confidence: Any) -> Any:
    try:
        return np.ravel(np.asarray(confidence, np.float64))
    except (TypeError, ValueError, OverflowError):
        return ()


def _name(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, int):
        return f"{value:08d}.jpg"
    if not isinstance(value, str):
        raise ValueError(f"expected an image's name, found {value!r}")
    return value
