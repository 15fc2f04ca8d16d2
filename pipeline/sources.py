"""The data set that params.yaml names, opened; the only place that knows which reader belongs to which name."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from s2hand.datasets.files import digest, sha256_bytes, sha256_file, write_json
from s2hand.datasets.folder import Folder
from s2hand.datasets.freihand import FreiHand
from s2hand.datasets.ho3d import Ho3d
from s2hand.datasets.images import ImageError, image_size
from s2hand.datasets.records import SPLITS, Dataset, Record
from s2hand.detect.console import Report
from s2hand.pipeline.params import DataParams

TREE = "photographs"  # inside the prepared folder: the synthetic photographs
INDEX = "index.json"
SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Source:
    """How `data.input` is read, and whether what lies there looks like it."""

    open: Callable[[DataParams, Path], Dataset]  # parameters, the prepared folder
    recognises: Callable[[Path], bool]


def _open_folder(data: DataParams, _: Path) -> Dataset:
    root, folder = Path(data.input), data.folder
    return Folder(
        root,
        hand=folder.hand,
        intrinsics=root / folder.intrinsics if folder.intrinsics else None,
        exif=folder.exif,
        fov_degrees=folder.field_of_view_degrees,
        held_back=folder.held_back,
    )


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        SYNTHETIC: Source(lambda data, prepared: FreiHand(prepared / TREE), Path.is_file),
        "freihand": Source(
            lambda data, _: FreiHand(data.input, data.freihand.versions),
            lambda root: (root / "training_K.json").exists(),
        ),
        "ho3d": Source(lambda data, _: Ho3d(data.input), lambda root: (root / "evaluation.txt").exists()),
        "folder": Source(_open_folder, Path.is_dir),
    }
)
"""By the name in `data.source`; `auto` takes the first that recognises `data.input`."""


def source_name(data: DataParams) -> str:
    """Return which source `data.input` is read as. Raises ValueError where nothing lies there."""
    if data.source != "auto":
        return data.source
    for name, source in SOURCES.items():
        if source.recognises(Path(data.input)):
            return name
    raise ValueError(
        f"data.input: expected a data set, a folder of photographs or a hand's file, found no {data.input}"
    )


def open_source(data: DataParams, prepared: Path) -> Dataset:
    """Open the data set: the synthetic photographs inside `prepared`, or the user's own images where they lie."""
    return SOURCES[source_name(data)].open(data, prepared)


def write_index(dataset: Dataset, path: Path, report: Report) -> dict[str, Any]:
    """Write what was found: per split the number of images, where their cameras come from, and a digest of their names,
    bytes, cameras and truth.

    Later stages depend on this file, so that they run again when, and only when, something was added, removed or
    changed, wherever it lies.
    """
    splits = {split: dataset.records(split) for split in SPLITS}
    total = sum(len(records) for records in splits.values())
    index: dict[str, Any] = {"dataset": dataset.name}
    done = 0
    for split, records in splits.items():
        hashes, cameras = [], Counter[str]()
        for record in records:
            hashes.append(_fingerprint(record))
            cameras[_camera_source(record)] += 1
            done += 1
            report(done, total)
        index[split] = {
            "images": len(records),
            "left_out": len(dataset.left_out(split)),
            "cameras": dict(sorted(cameras.items())),
            "digest": digest(hashes),
        }
    write_json(path, index)
    return index


def _fingerprint(record: Record) -> list[Any]:
    known = (record.K, record.joints_cam, record.vertices_cam, record.wrist_cam)
    arrays = [None if array is None else sha256_bytes(array.tobytes()) for array in known]
    box = None if record.box is None else astuple(record.box)
    return [record.image, record.hand, sha256_file(record.path), record.fov_degrees, record.exif, box, *arrays]


def _camera_source(record: Record) -> str:
    """Return in words where the camera comes from; an image that can't be read says so, and is left to detection."""
    if record.K is not None:
        return record.K_source
    try:
        return record.intrinsics(*image_size(record.path.read_bytes(), record.image)).source
    except ImageError:
        return "unreadable image"


def require_images(records: Sequence[Record], split: str, data: DataParams) -> None:
    """Refuse an empty split, which would end in a network that was never trained or numbers about nothing."""
    if not records:
        raise ValueError(f"{data.input}: expected at least one image for {split}, found none; check data.input")
