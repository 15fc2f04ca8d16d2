"""The manifest of a detection run: what it was made from, which shards it wrote, and that it is complete."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2hand.datasets.files import DataError, read_json, write_json
from s2hand.datasets.rows import Provenance

MANIFEST = "manifest.json"
FORMAT = 1
"""Number of the layout of shards and manifest: part of every digest, so a change of it makes shards stale."""


@dataclass(frozen=True)
class Shard:
    """One finished shard."""

    name: str
    images: int  # that it was made from
    rows: int  # hands
    digest: str  # of provenance and images
    sha256: str  # of the file


@dataclass(frozen=True)
class Manifest:
    """A complete run. `digest` is that of all its shards' digests: of every image, parameter and weight."""

    provenance: Provenance
    digest: str
    images: int
    rows: int
    failures: int
    shards: tuple[Shard, ...]

    def write(self, folder: Path) -> None:
        """Put `manifest.json` in place: from here on the run counts as complete."""
        values = {
            "format": FORMAT,
            "complete": True,
            **self.provenance.as_json(),
            "digest": self.digest,
            "images": self.images,
            "rows": self.rows,
            "failures": self.failures,
            "shards": [asdict(shard) for shard in self.shards],
        }
        write_json(folder / MANIFEST, values)


def read_manifest(folder: Path) -> Manifest:
    """Read a run's manifest.

    Raises:
        DataError: there is no folder or no manifest (the run did not end), or the manifest is not ours.
    """
    path = Path(folder) / MANIFEST
    if not path.parent.is_dir():
        raise DataError(f"{folder}: no such folder; run detection first")
    if not path.exists() and not shard_names(folder):
        raise DataError(
            f"{folder}: no detection run lies here; run detection first, or name the folder that it has written"
        )
    if not path.exists():
        raise DataError(f"{folder}: the detection run is not complete (no {MANIFEST}); run it again")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT or value.get("complete") is not True:
        raise DataError(f"{path}: not the manifest of a complete run of format {FORMAT}; run detection again")
    provenance = Provenance.from_json(value, path)
    try:
        return _from_json(value, provenance)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: incomplete ({error!r}); run detection again") from error


def _from_json(value: dict[str, Any], provenance: Provenance) -> Manifest:
    shards = tuple(Shard(**shard) for shard in value["shards"])
    counts = (int(value["images"]), int(value["rows"]), int(value["failures"]))
    return Manifest(provenance, str(value["digest"]), *counts, shards)


def shard_name(number: int) -> str:
    """Return the file name of a shard, counted from 0."""
    return f"part-{number:05d}.parquet"


def shard_names(folder: Path) -> set[str]:
    """Return the names of all shards in a folder, finished or stale."""
    return {path.name for path in Path(folder).iterdir() if re.fullmatch(r"part-\d{5,}\.parquet", path.name)}
