"""Reader of FreiHAND, version 2 (Zimmermann et al., ICCV 2019): right hands, 224 x 224.

    training/rgb/%08d.jpg          index + N * version; N is the length of training_K.json, 32,560 originally
    training/mask/%08d.jpg         of the first version only, which is all that the data set has
    training_K.json                [N, 3, 3]    required
    training_xyz.json              [N, 21, 3]   metres, camera, our joint order
    training_verts.json            [N, 778, 3]  metres, camera
    training_mano.json             [N, 1, 61]   pose 48, shape 10, root u, v, scale
    training_scale.json            [N]          metres, length of the middle finger's first bone
    evaluation/rgb, evaluation_*   likewise, one version, with the truth or without

The versions differ in their background: gs (green screen), hom, sample, auto (made to look natural). Those
that are on the disk are read, all or a choice. All JSON files but the K are optional.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.json_arrays import read_json_arrays
from s2hand.datasets.records import Lazy, Record, Split

VERSIONS = ("gs", "hom", "sample", "auto")


@dataclass(frozen=True, eq=False)
class _Labels:
    """The JSON files of a split, by hand."""

    K: NDArray[np.float64]  # [N, 3, 3]
    xyz: NDArray[np.float64] | None  # [N, 21, 3]
    verts: NDArray[np.float32] | None  # [N, 778, 3] float32: 76 million numbers
    mano: NDArray[np.float64] | None  # [N, 1, 61]
    scale: NDArray[np.float64] | None  # [N]


class FreiHand:
    """The data set in the folder `root`, with the given background versions of the training images, or all there are.

    Raises:
        DataError: no such folder, an unknown version or one that is not on the disk; on `records`, a JSON file
            that is missing (K), broken or of another length, or an image that is missing.
    """

    name = "freihand"

    def __init__(self, root: str | Path, versions: Sequence[str] | None = None) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"{root}: no such folder; expected FreiHAND's, with training/ and evaluation/ in it")
        unknown = sorted(set(versions or ()) - set(VERSIONS))
        if unknown:
            raise DataError(f"FreiHAND has the versions {', '.join(VERSIONS)}, not {', '.join(unknown)}")
        self._chosen = None if versions is None else tuple(versions)

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The background versions that are read: those asked for, else all on the disk."""
        count, names = len(self._training.K), self._listing("training/rgb")
        there = tuple(
            version
            for number, version in enumerate(VERSIONS)
            if any(_file(index) in names for index in range(count * number, count * (number + 1)))
        )
        missing = [version for version in self._chosen or () if version not in there]
        if missing:
            found = ", ".join(there) or "none"
            raise DataError(f"{self.root / 'training/rgb'}: version {missing[0]} is not there; found: {found}")
        return there if self._chosen is None else self._chosen

    def records(self, split: Split) -> Sequence[Record]:
        """Return the records of a split: version after version, in each the hands in their order."""
        if split == "evaluation":
            return self._records(split, self._evaluation, [0])
        if not self.versions:
            raise DataError(f"{self.root / 'training/rgb'}: expected {len(self._training.K)} images, found none")
        return self._records(split, self._training, [VERSIONS.index(version) for version in self.versions])

    def left_out(self, split: Split) -> Mapping[str, str]:
        """Return nothing: an image that is missing is an error."""
        return {}

    def _records(self, split: Split, labels: _Labels, versions: Sequence[int]) -> Sequence[Record]:
        count = len(labels.K)
        files = [count * version + index for version in versions for index in range(count)]
        self._require(f"{split}/rgb", files, f"{len(files)} images: {count} hands, {len(versions)} version(s)")
        masks = (self.root / split / "mask").is_dir()
        if masks:
            self._require(f"{split}/mask", range(count), f"{count} masks")

        def record(position: int) -> Record:
            number = files[position]
            image = f"{split}/rgb/{_file(number)}"
            with_mask = masks and number < count
            return Record(
                image=image,
                path=self.root / image,
                hand="right",
                K=labels.K[number % count],
                K_source=f"{split}_K.json",
                mask=self.root / split / "mask" / _file(number) if with_mask else None,
                joints_cam=_row(labels.xyz, number % count),
                vertices_cam=_row(labels.verts, number % count),
                mano=_row(labels.mano, number % count, 61),
                scale=None if labels.scale is None else float(labels.scale[number % count]),
            )

        return Lazy(len(files), record)

    @cached_property
    def _training(self) -> _Labels:
        return self._labels("training")

    @cached_property
    def _evaluation(self) -> _Labels:
        return self._labels("evaluation")

    def _labels(self, split: Split) -> _Labels:
        K = read_json_arrays(self.root / f"{split}_K.json", (3, 3))

        def optional(name: str, shape: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any] | None:
            path = self.root / f"{split}_{name}.json"
            if not path.exists():
                return None
            values = read_json_arrays(path, shape, dtype)
            if len(values) != len(K):
                expected = f"{len(K)} items, as many as in {split}_K.json"
                raise DataError(f"{path}: expected {expected}, found {len(values)}; restore the file")
            return values

        return _Labels(
            K=K,
            xyz=optional("xyz", (21, 3)),
            verts=optional("verts", (778, 3), np.float32),
            mano=optional("mano", (1, 61)),
            scale=optional("scale", ()),
        )

    def _listing(self, folder: str) -> set[str]:
        try:
            return set(os.listdir(self.root / folder))
        except OSError as error:
            raise DataError(f"{self.root / folder}: can't be listed: {error.strerror}") from error

    def _require(self, folder: str, numbers: Sequence[int], expected: str) -> None:
        names = self._listing(folder)
        missing = [number for number in numbers if _file(number) not in names]
        if missing:
            first = self.root / folder / _file(missing[0])
            raise DataError(f"{first}: missing; expected {expected}; {len(missing)} of them are not there")


def _file(number: int) -> str:
    return f"{number:08d}.jpg"


def _row(values: NDArray[Any] | None, index: int, *shape: int) -> NDArray[np.float64] | None:
    if values is None:
        return None
    row: NDArray[np.float64] = values[index].astype(np.float64)
    return row.reshape(shape) if shape else row
