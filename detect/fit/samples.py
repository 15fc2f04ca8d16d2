"""The crops that training reads: decoded once, kept in memory-mapped arrays, so that no step waits for a JPEG.

Every photograph becomes one square crop of 128 x 128 pixels, the whole photograph with grey beside it where it is not
square.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import OUTSIDE, crop_image, square_box, to_crop
from s2hand.datasets.files import DataError, digest, read_json, sha256_bytes, write_json
from s2hand.datasets.records import Split
from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.detect.fit.labelled import Labelled, Source
from s2hand.detect.slim import INPUT_SIZE

Progress = Callable[[int, int], None]

_FORMAT = 1  # of the cached arrays
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Samples:
    """Crops and their labels."""

    images: NDArray[np.uint8]  # [N, 128, 128, 3] RGB
    points: NDArray[np.float32]  # [N, 21, 2] pixels of the crop; NaN where unknown
    masks: NDArray[np.uint8]  # [N, 128, 16] the hand's pixels, 8 in a byte along x; only where has_mask
    has_mask: NDArray[np.bool_]  # [N]
    labels_sha256: str  # of the bytes of `points`: tells one data set from another

    def __len__(self) -> int:
        return len(self.images)

    def mask(self, index: int) -> NDArray[np.uint8] | None:  # [128, 128] 0 or 1
        """Return the hand's mask of a sample, if it has one."""
        return np.unpackbits(self.masks[index], axis=-1) if self.has_mask[index] else None

    def take(self, count: int) -> "Samples":
        """Return at most `count` samples, evenly spread over all."""
        if count >= len(self):
            return self
        chosen = np.linspace(0, len(self) - 1, count).round().astype(np.intp)
        return Samples(
            self.images[chosen],
            self.points[chosen],
            self.masks[chosen],
            self.has_mask[chosen],
            self.labels_sha256,
        )


def load_samples(source: Source, split: Split, cache: Path, progress: Progress) -> Samples:
    """Read a split of labelled photographs, from `cache` if it is there already, and keep it there.

    Raises ValueError for photographs without labels, and for an image that can't be read.
    """
    photographs = source.photographs(split)
    if not len(photographs):
        raise DataError(f"{source.name}: has no photographs for {split}; expected some for training and evaluation")
    key = digest([_FORMAT, INPUT_SIZE, source.name, split, list(photographs)])
    folder = cache / split
    note = folder / "samples.json"
    if not note.exists() or read_json(note)["photographs"] != key:
        folder.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        _fill(partial(source.read, split), len(photographs), folder, progress)
        points = np.load(folder / "points.npy")
        write_json(note, {"photographs": key, "labels_sha256": sha256_bytes(points.tobytes())})
    names = ("images", "points", "masks", "has_mask")
    arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    return Samples(**arrays, labels_sha256=read_json(note)["labels_sha256"])


def _fill(read: Callable[[int], Labelled], count: int, folder: Path, progress: Progress) -> None:
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "images": ((count, INPUT_SIZE, INPUT_SIZE, 3), np.uint8),
        "points": ((count, JOINT_COUNT, 2), np.float32),
        "masks": ((count, INPUT_SIZE, INPUT_SIZE // 8), np.uint8),
        "has_mask": ((count,), np.bool_),
    }
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        for name, (shape, dtype) in shapes.items()
    }

    def fill(first: int) -> None:
        for index in range(first, min(first + _BLOCK, count)):
            _store(read(index), arrays, index)

    with ThreadPoolExecutor() as pool:  # decoding and resampling leave the interpreter free
        for done, _ in enumerate(pool.map(fill, range(0, count, _BLOCK)), 1):
            progress(min(done * _BLOCK, count), count)
    for array in arrays.values():
        array.flush()


def _store(photograph: Labelled, arrays: dict[str, np.memmap], index: int) -> None:
    """Cut the square crop of the whole photograph and put it in row `index`."""
    box = square_box(photograph.image.shape[1], photograph.image.shape[0])
    arrays["images"][index] = crop_image(photograph.image, box, INPUT_SIZE)
    arrays["points"][index] = to_crop(photograph.points, box, INPUT_SIZE)
    mask = photograph.mask
    if mask is None:
        return
    arrays["has_mask"][index] = True
    grey = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    arrays["masks"][index] = np.packbits(crop_image(grey, box, INPUT_SIZE)[..., 0] > OUTSIDE, axis=-1)
