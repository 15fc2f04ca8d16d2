"""Packs: the samples of a split in one HDF5 file, so that a trainer reads any row without decoding a JPEG.

Each row is a square crop in which the hand is a right one (a left hand's crop was mirrored, and says so):

| dataset | type | meaning |
| --- | --- | --- |
| `images` | uint8 [N, S, S, 3] | RGB crops, one chunk per row, not compressed |
| `K` | float32 [N, 3, 3] | camera of the crop, mirrored as the crop is |
| `keypoints` | float32 [N, 21, 3] | x, y in crop pixels, confidence; NaN where it is 0 |
| `names` | UTF-8 [N] | path of the image, relative to the data set's folder of images |
| `mirrored` | bool [N] | the crop shows a left hand as a right one |
| `boxes` | float32 [N, 4] | x, y, w, h of the crop in the image, before mirroring |
| `joints_cam` | float32 [N, 21, 3] | the truth, metres, mirrored as the crop is; only where it is known |
| `vertices_cam` | float32 [N, 778, 3] | likewise |
| `wrist_cam` | float32 [N, 3] | likewise, where a data set says no more than that |

The file's attributes say where it comes from: `format`, `created_by`, `sources` (JSON: name to digest) and
`parameters` (JSON). The same samples give the same bytes.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError, replacing
from s2hand.datasets.rows import keypoints_problem, package_version

FORMAT = 1
"""Number of the layout."""

_STRING = h5py.string_dtype("utf-8")
_BATCH = 64  # rows that are held in memory while writing
_SMALL = ("K", "keypoints", "mirrored", "boxes")  # 305 bytes per row: kept in memory while the pack is open
_TRUTH = ("joints_cam", "vertices_cam", "wrist_cam")


def _layout(size: int) -> dict[str, tuple[Any, tuple[int, ...], int]]:
    # Name to type, shape of a row, rows per chunk: small rows share one, large ones are read one by one.
    return {
        "images": (np.dtype(np.uint8), (size, size, 3), 1),
        "K": (np.dtype(np.float32), (3, 3), 1024),
        "keypoints": (np.dtype(np.float32), (21, 3), 1024),
        "names": (_STRING, (), 1024),
        "mirrored": (np.dtype(bool), (), 1024),
        "boxes": (np.dtype(np.float32), (4,), 1024),
        "joints_cam": (np.dtype(np.float32), (21, 3), 64),
        "vertices_cam": (np.dtype(np.float32), (778, 3), 1),
        "wrist_cam": (np.dtype(np.float32), (3,), 1024),
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """One row of a pack, checked when it is made. The columns' meaning is in the module's docstring."""

    name: str
    image: NDArray[np.uint8]  # [S, S, 3]
    K: NDArray[np.floating[Any]]  # [3, 3]
    keypoints: NDArray[np.float32]  # [21, 3]
    mirrored: bool
    box: Box
    joints_cam: NDArray[np.floating[Any]] | None = None  # [21, 3]
    vertices_cam: NDArray[np.floating[Any]] | None = None  # [778, 3]
    wrist_cam: NDArray[np.floating[Any]] | None = None  # [3]

    def __post_init__(self) -> None:
        side = self.image.shape[0]
        if self.image.dtype != np.uint8 or self.image.shape != (side, side, 3) or side == 0:
            self._refuse("image", "uint8 [S, S, 3]", f"{self.image.dtype} {self.image.shape}")
        if self.keypoints.dtype != np.float32:
            self._refuse("keypoints", "float32", str(self.keypoints.dtype))
        shapes = {"K": (3, 3), "keypoints": (21, 3), "joints_cam": (21, 3), "vertices_cam": (778, 3), "wrist_cam": (3,)}
        for field, shape in shapes.items():
            value = getattr(self, field)
            if value is not None and value.shape != shape:
                self._refuse(field, str(shape), str(value.shape))
            if value is not None and field != "keypoints" and not np.isfinite(value).all():
                self._refuse(field, "finite numbers", "NaN or infinity")
        problem = keypoints_problem(self.keypoints)
        if problem is not None:
            raise ValueError(f"{self.name}: keypoints: {problem}")

    def _refuse(self, field: str, expected: str, found: str) -> None:
        raise ValueError(f"{self.name}: {field}: expected {expected}, found {found}")

    def columns(self) -> dict[str, Any]:
        """Return the row by column name, without the truths that are not known."""
        row = {
            "images": self.image,
            "K": self.K,
            "keypoints": self.keypoints,
            "names": self.name,
            "mirrored": self.mirrored,
            "boxes": self.box.as_array(),
            "joints_cam": self.joints_cam,
            "vertices_cam": self.vertices_cam,
            "wrist_cam": self.wrist_cam,
        }
        return {column: value for column, value in row.items() if value is not None}


def write_pack(
    path: Path,
    samples: Iterable[Sample],
    sources: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> int:
    """Write samples to a pack, one after the other in constant memory, and put it in place when it is whole.

    Args:
        path: the file; missing folders above it are made.
        samples: at least one, all of one size, with the same truths known.
        sources: what the samples were made from: a name to the digest of its content.
        parameters: what shaped them, JSON-able.

    Returns the number of rows.

    Raises:
        ValueError: no sample, or one unlike the first; nothing is written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        iterator = iter(samples)
        while batch := [sample.columns() for sample in islice(iterator, _BATCH)]:
            if count == 0:
                _create(file, batch[0])
            _append(file, batch, count)
            count += len(batch)
        if count == 0:
            raise ValueError(f"{path}: there is no sample to pack")
        file.attrs["format"] = FORMAT
        file.attrs["created_by"] = f"s2hand {package_version()}"
        file.attrs["sources"] = json.dumps(dict(sources), ensure_ascii=False, sort_keys=True)
        file.attrs["parameters"] = json.dumps(dict(parameters), ensure_ascii=False, sort_keys=True)
    return count


def _create(file: h5py.File, first: Mapping[str, Any]) -> None:
    layout = _layout(first["images"].shape[0])
    for column in first:
        dtype, shape, rows = layout[column]
        file.create_dataset(
            column, (0, *shape), dtype, chunks=(rows, *shape), maxshape=(None, *shape), track_times=False
        )


def _append(file: h5py.File, batch: Sequence[Mapping[str, Any]], start: int) -> None:
    columns, shape = sorted(file.keys()), file["images"].shape[1:]
    for row in batch:
        if sorted(row) != columns:
            raise ValueError(f"{row['names']}: expected the columns {columns}, found {sorted(row)}")
        if row["images"].shape != shape:
            found = row["images"].shape
            raise ValueError(f"{row['names']}: image: expected {shape} as in the first, found {found}")
    for column, dataset in file.items():
        dataset.resize(start + len(batch), axis=0)
        values = [row[column] for row in batch]
        dataset[start:] = values if column == "names" else np.stack(values).astype(dataset.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotations:
    """Some rows of a pack, B of them, without their pixels, which are nearly all of its bytes."""

    size: int  # S, the side of the crops in pixels
    K: NDArray[np.float32]  # [B, 3, 3]
    keypoints: NDArray[np.float32]  # [B, 21, 3]
    mirrored: NDArray[np.bool_]  # [B]
    boxes: NDArray[np.float32]  # [B, 4]
    joints_cam: NDArray[np.float32] | None  # [B, 21, 3]
    vertices_cam: NDArray[np.float32] | None  # [B, 778, 3]
    wrist_cam: NDArray[np.float32] | None = None  # [B, 3]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows(Annotations):
    """Some rows of a pack, B of them, as arrays of their own."""

    images: NDArray[np.uint8]  # [B, S, S, 3]


class Pack:
    """A pack, open for reading. It may be sent to other processes or forked: each opens the file anew.

    Raises:
        DataError: no such file, or not a pack; the message says which dataset is wrong and how.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._owner = -1  # the process that opened `_file`
        with _open(self.path) as file:
            _check(file, self.path)
            self._length, self.size = file["images"].shape[:2]
            self.has_joints, self.has_vertices, _ = (column in file for column in _TRUTH)
            self.created_by = str(file.attrs["created_by"])
            self.sources: dict[str, str] = json.loads(file.attrs["sources"])
            self.parameters: dict[str, Any] = json.loads(file.attrs["parameters"])

    def __len__(self) -> int:
        return int(self._length)

    def __enter__(self) -> "Pack":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in ("_file", "_small")} | {"_owner": -1}

    def close(self) -> None:
        """Close the file; reading from the pack opens it again."""
        if self._owner == os.getpid():
            self._file.close()
        self._owner = -1

    def names(self) -> list[str]:
        """Return the image names of all rows."""
        names: list[str] = self._opened()["names"].asstr()[:].tolist()
        return names

    def mirrored(self) -> NDArray[np.bool_]:  # [N]
        """Return which rows show a left hand as a right one."""
        self._opened()
        mirrored: NDArray[np.bool_] = self._small["mirrored"].copy()
        return mirrored

    def annotations(self, indices: ArrayLike) -> Annotations:
        """Read rows without their pixels; indices as of `rows`."""
        return Annotations(**self._annotations(self._chosen(indices)))

    def rows(self, indices: ArrayLike) -> Rows:
        """Read rows by index, in the order asked for, repeats allowed; an index is in [-N, N)."""
        chosen = self._chosen(indices)
        return Rows(images=self._images(self._opened()["images"], chosen), **self._annotations(chosen))

    def _chosen(self, indices: ArrayLike) -> NDArray[np.intp]:
        return np.arange(len(self))[np.atleast_1d(np.asarray(indices, np.intp))]

    def _annotations(self, chosen: NDArray[np.intp]) -> dict[str, Any]:
        file = self._opened()
        small = {column: values[chosen] for column, values in self._small.items()}
        return {"size": int(self.size), **small, **{column: _truth(file, column, chosen) for column in _TRUTH}}

    def _images(self, dataset: h5py.Dataset, chosen: NDArray[np.intp]) -> NDArray[np.uint8]:
        images = np.empty((len(chosen), self.size, self.size, 3), np.uint8)
        for image, row in zip(images, chosen.tolist(), strict=True):
            # A chunk is a row, stored as it is: h5py's own indexing by a list takes a hundred times as long.
            dataset.id.read_direct_chunk((row, 0, 0, 0), out=memoryview(image).cast("B"))
        return images

    def _opened(self) -> h5py.File:
        if self._owner != os.getpid():
            self._file = _open(self.path)
            self._small = {column: self._file[column][:] for column in _SMALL}
            self._owner = os.getpid()
        return self._file


def _truth(file: h5py.File, column: str, chosen: NDArray[np.intp]) -> NDArray[np.float32] | None:
    if column not in file:
        return None
    dataset = file[column]
    values = np.empty((len(chosen), *dataset.shape[1:]), np.float32)
    for value, row in zip(values, chosen.tolist(), strict=True):
        value[...] = dataset[row]
    return values


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the pack stage first")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: not an HDF5 file, or cut short ({error}); pack again") from error


def _check(file: h5py.File, path: Path) -> None:
    found = file.attrs.get("format", "none")
    if found != FORMAT:
        raise DataError(f"{path}: not a pack of format {FORMAT} (found {found}); pack again")
    images = file.get("images")
    if images is None or images.ndim != 4:
        raise DataError(f"{path}: images: expected a dataset [N, S, S, 3]; pack again")
    length, size = images.shape[:2]
    for column, (dtype, shape, rows) in _layout(size).items():
        if column not in file:
            if column in _TRUTH:
                continue
            raise DataError(f"{path}: {column}: no such dataset; pack again")
        dataset = file[column]
        there = (dataset.dtype, dataset.shape, dataset.chunks, dataset.compression)
        expected = (dtype, (length, *shape), (rows, *shape), None)
        if there != expected:
            raise DataError(f"{path}: {column}: expected {expected}, found {there}; pack again")
