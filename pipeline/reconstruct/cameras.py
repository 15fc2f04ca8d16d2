"""Which camera took a photograph: what a file of intrinsics says, or the photograph's own Exif, or an assumption."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.folder import read_intrinsics
from s2hand.datasets.records import Intrinsics, Record
from s2hand.datasets.videos import find_frame


@dataclass(frozen=True, eq=False)
class Cameras:
    """The cameras of the images below a folder; `fov_degrees` is assumed across the longer side where none is known."""

    root: Path
    fov_degrees: float
    file: Path | None = None
    known: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # K by image

    @classmethod
    def read(cls, file: Path | None, root: Path, names: Sequence[str], fov_degrees: float) -> "Cameras":
        """Read a JSON file of intrinsics, if there is one, as `s2hand.datasets.folder` does.

        Raises DataError where it is broken or lacks an image.
        """
        return cls(root, fov_degrees, file, {} if file is None else read_intrinsics(file, root, names))

    def of(self, image: str, width: int, height: int) -> Intrinsics:
        """Return the camera of an image of `width` x `height` pixels, and where it is known from."""
        record = Record(
            image=image,
            path=self.root / image,
            hand="right",
            K=self.known.get(image),
            fov_degrees=self.fov_degrees,
            K_source="unknown" if self.file is None else self.file.name,
            exif=self.file is None and not find_frame(self.root / image),
        )
        return record.intrinsics(width, height)
