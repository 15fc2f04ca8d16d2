"""The folder of a reconstruction: one Parquet file per shard of keypoints, meshes and overlays beside it.

    hands-00000.parquet, ...   a row per hand, see `table`
    meshes/IMAGE.glb           IMAGE-1.glb, ... for a photograph's further hands
    overlays/IMAGE.jpg
    keypoints/                 the detection run that it was made from
    sheet.png                  the first hands, to be looked at
    manifest.json              which files there are, and that all of them are there

A file of rows is put in place after the meshes and overlays that it names, and says in its schema's metadata what it
was made from: a run that was killed goes on after the last of them, and what does not fit is made anew.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from s2hand.datasets.files import DataError, read_json, remove_partial_files, replacing, sha256_file, write_json
from s2hand.datasets.manifest import MANIFEST
from s2hand.datasets.shards import make_folder, only_writer
from s2hand.pipeline.reconstruct.formats import FORMATS, Format
from s2hand.pipeline.reconstruct.table import SCHEMA, Row, rows_to_table

FORMAT = "hands 1"
"""Of the layout; also what tells this manifest from another's."""

KEYPOINTS, MESHES, OVERLAYS, SHEET = "keypoints", "meshes", "overlays", "sheet.png"
_PROVENANCE, _SHARD = b"provenance", b"keypoints_sha256"
_LONGEST_NAME = 200  # bytes of a photograph's name that go into those of its files; most file systems take 255


@dataclass(frozen=True)
class HandStore:
    """A folder and what its hands are made from, beside the keypoints: a JSON-able mapping of names to values."""

    folder: Path
    provenance: Mapping[str, Any]

    def check_replaceable(self, anew: bool) -> None:
        """Refuse a folder of other things, and, unless `anew` says to replace them, hands made from something else.

        Raises:
            DataError: with what is different.
        """
        if (self.folder / MANIFEST).exists():
            _check_format(self.folder)
        expected = json.loads(json.dumps(self.provenance))
        for path in hand_files(self.folder):
            made_from = _made_from(path)
            if made_from is None and (self.folder / KEYPOINTS).is_dir():
                continue  # damaged: made anew
            if made_from is None:
                raise DataError(f"{path}: is of no reconstruction, and would be overwritten; give another --out")
            other = sorted(key for key in {*made_from, *expected} if made_from.get(key) != expected.get(key))
            if other and not anew:
                raise DataError(
                    f"{self.folder}: its hands were made otherwise: other {', '.join(other)}; give another --out, or "
                    "--anew to reconstruct all again and replace them"
                )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other runs out of the folder, and remove the old manifest: from here on the run is not complete."""
        make_folder(self.folder)
        with only_writer(self.folder):
            (self.folder / MANIFEST).unlink(missing_ok=True)
            remove_partial_files(self.folder)
            yield

    def is_finished(self, number: int, shard_sha256: str) -> bool:
        """Whether the hands of a shard of keypoints are whole, made from just that shard, and all their files there."""
        path = self.folder / hands_name(number)
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (pa.ArrowException, OSError, ValueError):
            return False  # missing or damaged: to be made anew
        if table.schema.metadata != self._metadata(shard_sha256) or not table.schema.equals(SCHEMA):
            return False
        return all((self.folder / file).exists() for file in _files(table, self.provenance["formats"]))

    def keep(self, shards: Sequence[str]) -> set[int]:  # digests of the shards of keypoints
        """Return the numbers of the shards whose hands are finished; remove all others' and the files that they name.

        All at once, before any is written: what one gives up, another may be about to write.
        """
        finished = {number for number, sha256 in enumerate(shards) if self.is_finished(number, sha256)}
        for path in hand_files(self.folder):
            if path.name not in {hands_name(number) for number in finished}:
                self._remove(path)
        return finished

    def _remove(self, path: Path) -> None:
        try:
            named = _files(pq.read_table(path, columns=["mesh", "overlay"]), FORMATS)
        except (pa.ArrowException, OSError, ValueError, KeyError):
            named = set()  # damaged
        for file in named:
            (self.folder / file).unlink(missing_ok=True)
        path.unlink()

    def write(self, number: int, shard_sha256: str, rows: Sequence[Row]) -> None:
        """Write the hands of a shard in one step; their meshes and overlays are there."""
        with replacing(self.folder / hands_name(number)) as temporary:
            table = rows_to_table(rows, self._metadata(shard_sha256))
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)

    def finish(self, shards: int, images: int, failures: int) -> int:
        """Write the manifest, which says that the run is complete; return the number of hands."""
        names = [hands_name(number) for number in range(shards)]
        counts = {name: pq.read_metadata(self.folder / name).num_rows for name in names}
        hands: int = sum(counts.values())
        values = {
            "format": FORMAT,
            "complete": True,
            "provenance": dict(self.provenance),
            "images": images,
            "failures": failures,
            "hands": hands,
            "files": [
                {"name": name, "rows": rows, "sha256": sha256_file(self.folder / name)} for name, rows in counts.items()
            ],
        }
        write_json(self.folder / MANIFEST, values)
        return hands

    def _metadata(self, shard_sha256: str) -> dict[bytes, bytes]:
        text = json.dumps(dict(self.provenance), sort_keys=True, ensure_ascii=False)
        return {_PROVENANCE: text.encode(), _SHARD: shard_sha256.encode()}


def read_hands(folder: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the table of a finished reconstruction, see `s2hand.pipeline.reconstruct.table`, or some of its columns.

    Raises:
        DataError: there is none, it is not complete, or a file is missing or altered.

    Examples:
        >>> import numpy as np
        >>> from s2hand.pipeline import read_hands
        >>> table = read_hands("hands", ["image", "hand", "joints_cam"])
        >>> table["image"].to_pylist(), table["hand"].to_pylist()
        (['one.jpg', 'two.jpg'], ['right', 'right'])
        >>> np.array(table["joints_cam"].to_pylist()).reshape(-1, 21, 3).shape  # metres
        (2, 21, 3)
    """
    return pa.concat_tables(iterate_hands(folder, columns))


def iterate_hands(folder: str | Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Read as `read_hands`, but file by file, with the memory of one."""
    folder = Path(folder)
    if not (folder / MANIFEST).exists():
        raise DataError(f"{folder}: no finished reconstruction (no {MANIFEST}); run s2hand reconstruct")
    for file in _check_format(folder)["files"]:
        path = folder / file["name"]
        if not path.is_file() or sha256_file(path) != file["sha256"]:
            raise DataError(f"{path}: missing, or altered after the run ended; run s2hand reconstruct again")
        yield pq.read_table(path, columns=columns if columns is None else list(columns))


def hands_name(number: int) -> str:
    """Return the file name of the hands of a shard of keypoints, counted from 0."""
    return f"hands-{number:05d}.parquet"


def hand_files(folder: Path) -> list[Path]:
    """Return the files of hands in a folder, finished or stale; none where there is no folder."""
    return sorted(path for path in folder.glob("hands-*.parquet") if re.fullmatch(r"hands-\d{5,}\.parquet", path.name))


def mesh_stem(image: str, hand_index: int) -> str:
    """Return where the meshes of a hand go, without their ending, relative to the folder."""
    return f"{MESHES}/{_short(image)}" + (f"-{hand_index}" if hand_index else "")


def overlay_file(image: str) -> str:
    """Return where the overlay of a photograph goes, relative to the folder."""
    return f"{OVERLAYS}/{_short(image)}.jpg"


def _short(image: str) -> str:
    """Return the image's path; of a very long name its start, and what tells it from others."""
    parent, _, name = image.rpartition("/")
    data = name.encode()
    if len(data) > _LONGEST_NAME:
        start = data[: _LONGEST_NAME - 20].decode(errors="ignore")
        name = f"{start}~{hashlib.sha256(data).hexdigest()[:16]}"
    return f"{parent}/{name}" if parent else name


def _files(table: pa.Table, formats: Sequence[Format]) -> set[str]:
    meshes = {f"{stem}.{kind}" for stem in table["mesh"].to_pylist() for kind in formats}
    return meshes | {overlay for overlay in table["overlay"].to_pylist() if overlay}


def _made_from(path: Path) -> dict[str, Any] | None:
    try:
        metadata = pq.read_schema(path).metadata or {}
        value = json.loads(metadata[_PROVENANCE])
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    return value if isinstance(value, dict) else None


def _check_format(folder: Path) -> dict[str, Any]:
    value = read_json(folder / MANIFEST)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f"{folder / MANIFEST}: is of no reconstruction; give a folder of its own")
    return value
