"""Photographs with 2D joints in one JSON file beside them: the simplest form in which anybody's labels come.

    labels.json    {"images/0001.jpg": {"hand": "left", "uv": [[x, y], ... 21]}, ...}

`uv` in pixels, in our joint order, null for a joint that is not known; `hand` is "right" where it is left out.
Other keys are allowed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import mirror_image, mirror_points_px
from s2hand.datasets.files import DataError, read_json
from s2hand.datasets.folder import split_by_name
from s2hand.datasets.images import read_image
from s2hand.datasets.records import HANDS, Split
from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.detect.fit.labelled import Labelled

FILE = "labels.json"
HELD_BACK = 0.1
"""The share of the photographs, by their names, that is measured with and not trained on."""


class LabelsSource:
    """The photographs that `labels.json` in a folder names. Raises DataError, naming image and key."""

    name = "labels"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / FILE
        entries = read_json(path)
        if not isinstance(entries, dict) or not entries:
            raise DataError(f"{path}: expected an object with one entry per image, found {str(entries)[:60]}")
        self._labels = {image: _label(entry, f"{path}: {image}") for image, entry in entries.items()}
        missing = [image for image in self._labels if not (folder / image).is_file()]
        if missing:
            raise DataError(f"{path}: {len(missing)} of {len(entries)} images are missing, the first {missing[0]}")
        self._images = split_by_name(sorted(self._labels), HELD_BACK, seed=0)

    def photographs(self, split: Split) -> Sequence[object]:
        """Return name, size and time of each image, and its labels."""
        return [self._stamp(image) for image in self._images[split]]

    def read(self, split: Split, index: int) -> Labelled:
        """Read a photograph; left hands are mirrored."""
        image = self._images[split][index]
        hand, points = self._labels[image]
        pixels = read_image(self._folder / image)
        if hand == "right":
            return Labelled(pixels, points)
        return Labelled(mirror_image(pixels), mirror_points_px(points, pixels.shape[1]))

    def _stamp(self, image: str) -> list[object]:
        status = (self._folder / image).stat()
        hand, points = self._labels[image]
        return [image, status.st_size, status.st_mtime_ns, hand, np.nan_to_num(points, nan=-1.0).tolist()]


def _label(entry: Any, where: str) -> tuple[str, NDArray[np.float64]]:
    """Check an entry: its hand and its joints [21, 2], NaN where unknown."""
    if not isinstance(entry, dict) or "uv" not in entry:
        raise DataError(f"{where}: expected an object with the key uv, found {str(entry)[:60]}")
    hand = entry.get("hand", "right")
    if hand not in HANDS:
        raise DataError(f"{where}: hand: expected right or left, found {hand!r}")
    unknown = [None, None]
    try:
        points = np.array([unknown if point is None else point for point in entry["uv"]], np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != (JOINT_COUNT, 2) or np.isinf(points).any():
        raise DataError(f"{where}: uv: expected {JOINT_COUNT} pairs of numbers or null, found {str(entry['uv'])[:60]}")
    return hand, points
