"""Import: labels of another program and the images they are of become keypoint shards, as detection writes them."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from s2hand.datasets.cameras import square_box
from s2hand.datasets.files import DataError, digest, sha256_file, source_digest
from s2hand.datasets.image_files import ImageError
from s2hand.datasets.imports import FORMATS
from s2hand.datasets.imports.labels import LabelledHand, Labels
from s2hand.datasets.listing import read_item
from s2hand.datasets.manifest import MANIFEST, Manifest, read_manifest
from s2hand.datasets.process import core_count
from s2hand.datasets.records import Hand
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, Source

Progress = Callable[[int, int], None]  # (images done, images in all)
DETECTOR = "imported"
MOST_THREADS = 8


@dataclass(frozen=True)
class LabelledImage:
    """One image on its way into a shard: what it is made from, and its rows or the failure."""

    source: Source
    rows: list[HandRow]
    failure: Failure | None


def import_labels(
    labels: Path,
    images: Path,
    out: Path,
    name: str,
    hand: Hand = "right",
    shard_size: int = 1000,
    progress: Progress | None = None,
) -> Manifest:
    """Import labels in the format `name` into shards in the folder `out`, and return the run's manifest.

    The images in the folder `images` say their sizes and digests; one that is missing or can't be read is a failure,
    as in detection. `hand` is what labels show that do not say. Images that the labels do not name are left out.

    Raises:
        DataError: wrong labels, none of the images there, or an `out` that holds another detector's run.
    """
    if name not in FORMATS:
        raise DataError(f"format: expected one of {', '.join(FORMATS)}, found {name!r}")
    read = importlib.import_module(f"s2hand.datasets.imports.{FORMATS[name]}").read
    _check_folders(images, out)
    found: Labels = read(labels, images, hand)
    names = sorted(found)
    _check_names(labels, images, names)
    store = ShardStore(out, _provenance(labels, name, hand))
    chunks = [names[first : first + shard_size] for first in range(0, len(names), shard_size)]
    report = progress or (lambda done, total: None)
    with store.writing(), ThreadPoolExecutor(min(MOST_THREADS, core_count())) as pool:
        for number, chunk in enumerate(chunks):
            report(number * shard_size, len(names))
            made = list(pool.map(partial(_label, images), chunk, [found[image] for image in chunk]))
            rows = [row for image in made for row in image.rows]
            store.write(number, [image.source for image in made], rows, [one.failure for one in made if one.failure])
        report(len(names), len(names))
        return store.finish(len(chunks))


def _provenance(labels: Path, name: str, hand: Hand) -> Provenance:
    parameters = {"format": name, "hand": hand, "labels": labels.name}
    return Provenance(DETECTOR, _sha256(labels), parameters, source_digest("s2hand.datasets"))


def _sha256(labels: Path) -> str:
    if labels.is_file():
        return sha256_file(labels)
    return digest({path.relative_to(labels).as_posix(): sha256_file(path) for path in _json_files(labels)})


def _json_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.json") if path.is_file())


def _check_folders(images: Path, out: Path) -> None:
    if not images.is_dir():
        raise DataError(f"{images}: expected the folder of the images that are labelled")
    if (out / MANIFEST).exists() and (detector := read_manifest(out).provenance.detector) != DETECTOR:
        raise DataError(f"{out}: holds the keypoints of the detector {detector!r}; give another --out")


def _check_names(labels: Path, images: Path, names: Sequence[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not name:
            raise DataError(f"{labels}: image {name!r}: expected a path relative to {images}")
    if not any((images / name.partition("#")[0]).is_file() for name in names):
        example = f", such as {names[0]}" if names else ""
        raise DataError(f"{images}: holds none of the {len(names)} images that {labels} names{example}")


def _label(root: Path, image: str, hands: Sequence[LabelledHand]) -> LabelledImage:
    item = read_item(root, image)
    source = Source(image, item.size, item.sha256)
    try:
        width, height = item.image_size()
    except ImageError as error:
        return LabelledImage(source, [], Failure(image, error.reason))
    rows = [
        HandRow(
            image, source.sha256, width, height, one.hand, index, one.box or square_box(width, height), one.keypoints
        )
        for index, one in enumerate(hands)
    ]
    return LabelledImage(source, rows, None)
