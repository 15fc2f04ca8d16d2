"""Reader of a plain folder of photographs, one hand each, of any size.

The camera comes from a JSON file, else from the focal length in a photograph's Exif, else a field of view is assumed;
each record says which. The file holds one K for all images, or an object with a K per image, bare or within an object
of more:

    [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    {"a/b.jpg": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], ...}
    {"a/b.jpg": {"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], ...}, ...}

Its names are relative to the folder or to one above it. K is that of the upright image (EXIF orientation
applied).
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import intrinsics_problem
from s2hand.datasets.files import DataError, read_json
from s2hand.datasets.images import list_images
from s2hand.datasets.records import HANDS, Hand, Lazy, Record, Split


class Folder:
    """The photographs in a folder and below it; all show the same hand, left or right.

    Args:
        root: the folder.
        hand: which hand the photographs show.
        intrinsics: a JSON file with the cameras.
        exif: without that file, whether the focal length that a photograph's file gives is believed.
        fov_degrees: where that says nothing either, the assumed angle across a photograph's longer side.
        held_back: share of the images that is kept for evaluation, above 0 and below 1. Which ones follows
            from each image's own name and `seed`, so that adding images moves no other; of two or more images,
            each side gets at least one.

    Raises:
        DataError: the folder is missing or empty, or the JSON file is broken or lacks an image.
    """

    name = "folder"

    def __init__(
        self,
        root: str | Path,
        *,
        hand: Hand = "right",
        intrinsics: Path | None = None,
        exif: bool = True,
        fov_degrees: float = 50.0,
        held_back: float = 0.1,
        seed: int = 0,
    ) -> None:
        if hand not in HANDS:
            raise ValueError(f"hand: expected right or left, found {hand!r}")
        if not 0 < held_back < 1:
            raise ValueError(f"held_back: expected a share above 0 and below 1, found {held_back}")
        if not 0 < fov_degrees < 180:
            raise ValueError(f"fov_degrees: expected an angle between 0 and 180, found {fov_degrees}")
        self.root = Path(root)
        self.hand = hand
        self.fov_degrees = fov_degrees
        images = list_images(self.root)
        self._images = split_by_name(images, held_back, seed)
        self._K = None if intrinsics is None else read_intrinsics(intrinsics, self.root, images)
        self._K_source = "unknown" if intrinsics is None else Path(intrinsics).name
        self._exif = exif and intrinsics is None

    def records(self, split: Split) -> Sequence[Record]:
        """Return the records of a split, sorted by name."""
        images = self._images[split]
        return Lazy(len(images), lambda position: self._record(images[position]))

    def left_out(self, split: Split) -> Mapping[str, str]:
        """Return nothing: every image that is found is a record."""
        return {}

    def _record(self, image: str) -> Record:
        return Record(
            image=image,
            path=self.root / image,
            hand=self.hand,
            K=None if self._K is None else self._K[image],
            fov_degrees=self.fov_degrees if self._K is None else None,
            K_source=self._K_source,
            exif=self._exif,
        )


def split_by_name(images: Sequence[str], held_back: float, seed: int) -> dict[Split, list[str]]:
    """Split names by the hash of each: the same name falls on the same side, whatever the other names are."""

    def place(image: str) -> float:  # uniform in [0, 1)
        return int.from_bytes(hashlib.sha256(f"{seed}/{image}".encode()).digest()[:7], "big") / 2**56

    held = {image for image in images if place(image) < held_back}
    if len(images) >= 2 and not held:
        held = {min(images, key=place)}
    elif len(held) == len(images):
        held.discard(max(images, key=place))
    return {
        "training": [image for image in images if image not in held],
        "evaluation": [image for image in images if image in held],
    }


def read_intrinsics(path: Path, root: Path, images: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Read the K [3, 3] of each image from a JSON file, in one of the module docstring's forms.

    Raises:
        DataError: the file is missing or broken, has no K for an image, or one that is no pinhole camera's.
    """
    path = Path(path)
    value = read_json(path)
    if isinstance(value, list):
        K = _intrinsics(value, path, "the one K for all images")
        return dict.fromkeys(images, K)
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a 3x3 K, or an object that has one per image")
    entries = {str(PurePosixPath(name)): entry for name, entry in value.items()}
    found = {image: name for image in images if (name := _lookup(entries, root, image)) is not None}
    missing = [image for image in images if image not in found]
    if missing:
        example = f", names such as {next(iter(entries))!r}" if entries else ""
        raise DataError(
            f"{path}: no K for {len(missing)} of {len(images)} images, the first {missing[0]}; "
            f"it has {len(entries)}{example}"
        )
    return {image: _intrinsics(entries[name], path, name) for image, name in found.items()}


def _lookup(entries: Mapping[str, Any], root: Path, image: str) -> str | None:
    """The image's key: its path relative to the root, or to a folder above it, the nearest first."""
    return next((name for name in _names(root, image) if name in entries), None)


def _names(root: Path, image: str) -> Iterator[str]:
    yield image
    name = PurePosixPath(image)
    for parent in reversed(Path(os.path.abspath(root)).parts[1:]):
        name = parent / name
        yield str(name)


def _intrinsics(value: Any, path: Path, what: str) -> NDArray[np.float64]:
    if isinstance(value, dict):
        value = value.get("K")
    try:
        K = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        K = np.empty(0)
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise DataError(f"{path}: {what}: expected a 3x3 matrix of numbers K, found {str(value)[:60]}")
    problem = intrinsics_problem(K)
    if problem is not None:
        raise DataError(f"{path}: {what}: {problem}")
    return K
