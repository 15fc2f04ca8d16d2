"""Where labelled photographs of hands come from: data sets with 3D joints and cameras, packs, labels in JSON."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from s2hand.datasets.cameras import mirror_image, mirror_points_px, project
from s2hand.datasets.files import DataError
from s2hand.datasets.freihand import FreiHand
from s2hand.datasets.images import read_image
from s2hand.datasets.packs import Pack
from s2hand.datasets.records import SPLITS, Dataset, Record, Split
from s2hand.detect.fit.labelled import Labelled, Source
from s2hand.detect.fit.labels_json import FILE, LabelsSource

MIN_CONFIDENCE = 0.5
"""A detected keypoint serves as a label from this confidence on."""

_PACKS: dict[Split, str] = {"training": "train.h5", "evaluation": "eval.h5"}


class RecordSource:
    """The photographs of a data set whose records have K and joints."""

    def __init__(self, data: Dataset) -> None:
        self._records = {split: data.records(split) for split in SPLITS}
        self.name = data.name

    def photographs(self, split: Split) -> Sequence[object]:
        """Return name, size and time of each image."""
        return [_file_stamp(record) for record in self._records[split]]

    def read(self, split: Split, index: int) -> Labelled:
        """Read an image and its mask and project its joints; `DataError` for a record without K or joints."""
        record = self._records[split][index]
        if record.K is None or record.joints_cam is None:
            missing = "K" if record.K is None else "joints"
            raise DataError(f"{record.path}: has no {missing}; expected K and 3D joints to train with")
        image = read_image(record.path)
        points = project(record.joints_cam, record.K)
        mask = None if record.mask is None else read_image(record.mask)
        if record.hand == "left":
            points = mirror_points_px(points, image.shape[1])
            image, mask = mirror_image(image), None if mask is None else mirror_image(mask)
        return Labelled(image, points, None if mask is None else mask[..., 0] > 127)


class PackSource:
    """The crops of a folder's `train.h5` and `eval.h5` with their keypoints, detected or marked by hand."""

    name = "packs"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _packs(self) -> dict[Split, Pack]:
        return {split: Pack(self._folder / name) for split, name in _PACKS.items()}

    def photographs(self, split: Split) -> Sequence[object]:
        """Return the crops' names, and size and time of the file that they are in."""
        status = (self._folder / _PACKS[split]).stat()
        return [[name, status.st_size, status.st_mtime_ns] for name in self._packs[split].names()]

    def read(self, split: Split, index: int) -> Labelled:
        """Read a crop; keypoints below MIN_CONFIDENCE count as unknown."""
        rows = self._packs[split].rows([index])
        keypoints = rows.keypoints[0]
        sure = keypoints[:, 2:] >= MIN_CONFIDENCE
        return Labelled(rows.images[0], np.where(sure, keypoints[:, :2], np.nan))


def open_source(path: Path) -> Source:
    """Return the photographs in a folder: FreiHAND's layout, `train.h5` and `eval.h5`, or `labels.json` and images."""
    if all((path / name).is_file() for name in _PACKS.values()):
        return PackSource(path)
    if (path / "training_K.json").is_file():
        return RecordSource(FreiHand(path))
    if (path / FILE).is_file():
        return LabelsSource(path)
    raise DataError(
        f"{path}: expected a data set in FreiHAND's layout (training_K.json, ...), packs (train.h5, eval.h5) or "
        f"photographs with {FILE}, found none of them"
    )


def _file_stamp(record: Record) -> list[object]:
    status = record.path.stat()
    return [record.image, status.st_size, status.st_mtime_ns]
