"""Keypoint shards in the formats of other programs; docs/label-formats.md says what each keeps and loses.

A format is a module here with `write(run, path)`, and a line in `FORMATS`. Importing the package loads none of them.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int], None]  # (hands done, hands in all)


@dataclass(frozen=True)
class Format:
    """One way to write keypoints: the module that does it, and whether into one file or a folder of them."""

    module: str
    folder: bool = False


FORMATS = {
    "coco": Format("coco"),
    "coco-wholebody": Format("coco_wholebody"),
    "openpose-json": Format("openpose_json", folder=True),
    "csv": Format("csv_table"),
    "s2hand-json": Format("s2hand_json"),
}


def export_keypoints(
    shards: Path, out: Path, name: str, overwrite: bool = False, progress: Progress | None = None
) -> int:
    """Write the keypoints of a finished detection run as the format `name`; return the number of hands.

    The shards are read one by one. `out` appears when it is complete. It is replaced only with `overwrite`, and a
    folder only if it is an earlier export. What killed exports to `out` left beside it is removed.

    Raises:
        DataError: no finished run, an unknown format, an `out` that is in the way, or one that can't hold the run.
    """
    from s2hand.datasets.exports.hands import Run
    from s2hand.datasets.exports.output import check_output, remove_leftovers, replacing_folder
    from s2hand.datasets.files import DataError, replacing
    from s2hand.datasets.keypoints import iterate_keypoints
    from s2hand.datasets.manifest import read_manifest

    if name not in FORMATS:
        raise DataError(f"format: expected one of {', '.join(FORMATS)}, found {name!r}")
    chosen = FORMATS[name]
    write = importlib.import_module(f"{__name__}.{chosen.module}").write
    manifest = read_manifest(shards)
    check_output(out, chosen.folder, overwrite)
    remove_leftovers(out)  # before it is written, since they fill the disk
    tables = _counted(iterate_keypoints(shards), manifest.rows, progress or (lambda done, total: None))
    with (replacing_folder if chosen.folder else replacing)(out) as temporary:
        write(Run(manifest.provenance, tables), temporary)
    remove_leftovers(out)  # an earlier export that was put aside, now that this one stands
    return manifest.rows


def _counted(tables: "Iterator[pa.Table]", total: int, progress: Progress) -> "Iterator[pa.Table]":
    done = 0
    progress(done, total)
    for table in tables:
        yield table
        done += table.num_rows
        progress(done, total)
