"""The data set that params.yaml names, opened; the only place that knows which reader belongs to which name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2hand.datasets.files import digest, sha256_bytes, sha256_file, write_json
from s2hand.datasets.folder import Folder
from s2hand.datasets.freihand import FreiHand
from s2hand.datasets.records import SPLITS, Dataset, Record
from s2hand.detect.console import Report
from s2hand.pipeline.params import DataParams

TREE = "photographs"  # inside the prepared folder: the synthetic photographs
INDEX = "index.json"


def open_source(data: DataParams, prepared: Path) -> Dataset:
    """Open the data set: the synthetic photographs inside `prepared`, or the user's own images where they lie."""
    if data.source == "synthetic":
        return FreiHand(prepared / TREE)
    if data.source == "freihand":
        return FreiHand(Path(data.input))
    folder = data.folder
    root = Path(data.input)
    return Folder(
        root,
        hand=folder.hand,
        intrinsics=root / folder.intrinsics if folder.intrinsics else None,
        fov_degrees=folder.field_of_view_degrees,
        held_back=folder.held_back,
    )


def write_index(dataset: Dataset, path: Path, report: Report) -> dict[str, Any]:
    """Write what was found: per split the number of images and a digest of their names, bytes, cameras and truth.

    Later stages depend on this file, so that they run again when, and only when, something was added, removed or
    changed, wherever it lies.
    """
    splits = {split: dataset.records(split) for split in SPLITS}
    total = sum(len(records) for records in splits.values())
    index: dict[str, Any] = {"dataset": dataset.name}
    done = 0
    for split, records in splits.items():
        hashes = []
        for record in records:
            hashes.append(_fingerprint(record))
            done += 1
            report(done, total)
        index[split] = {"images": len(records), "digest": digest(hashes)}
    write_json(path, index)
    return index


def _fingerprint(record: Record) -> list[Any]:
    known = (record.K, record.joints_cam, record.vertices_cam)
    arrays = [None if array is None else sha256_bytes(array.tobytes()) for array in known]
    return [record.image, record.hand, sha256_file(record.path), record.fov_degrees, *arrays]


def require_images(records: Sequence[Record], split: str, data: DataParams) -> None:
    """Refuse an empty split, which would end in a network that was never trained or numbers about nothing."""
    if not records:
        raise ValueError(f"{data.input}: expected at least one image for {split}, found none; check data.input")
