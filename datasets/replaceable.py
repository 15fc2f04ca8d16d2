"""A folder of keypoints is precious: who may write into one that is there already."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from s2hand.datasets.files import DataError
from s2hand.datasets.manifest import MANIFEST, read_manifest, shard_names
from s2hand.datasets.plan import PLAN, read_plan
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import DIGEST, FAILURES


def check_replaceable(
    folder: Path,
    names: Sequence[str],  # of the images of the run that is to begin
    provenance: Provenance,
    plan_key: str,
    anew: bool,
) -> None:
    """Refuse a folder whose files are not this run's to replace.

    A run may go on in a folder of the same detector, parameters and shard size that shares an image with it. With
    `anew` it may replace every other run, too, but never files that no run has written.

    Raises:
        DataError: with what the folder holds.
    """
    parts = sorted(shard_names(folder)) if folder.is_dir() else []
    there = [*parts, *(name for name in (MANIFEST, PLAN, FAILURES) if (folder / name).exists())]
    if not there:
        return
    plan = read_plan(folder)
    if plan is None and not _is_run(folder, parts):
        raise DataError(
            f"{folder / there[0]}: is of no detection run, and would be overwritten; give a folder of its own"
        )
    if anew or not parts:
        return
    if plan is not None and plan.key != plan_key:
        _refuse(folder, "other weights, parameters, shard size or code")
    if plan is not None and names and not set(names) & {name for shard in plan.shards for name in shard}:
        _refuse(folder, "other images")
    if plan is None and (folder / MANIFEST).exists() and read_manifest(folder).provenance != provenance:
        _refuse(folder, f"the detector {read_manifest(folder).provenance.detector!r}, or other parameters")


def _is_run(folder: Path, parts: Sequence[str]) -> bool:
    try:
        read_manifest(folder)
    except DataError:
        return any(_is_shard(folder / name) for name in parts)
    return True


def _is_shard(path: Path) -> bool:
    try:
        return DIGEST in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError, ValueError):
        return False


def _refuse(folder: Path, what: str) -> None:
    raise DataError(
        f"{folder}: holds the keypoints of {what}; give another --out, or --anew to detect all again and replace them"
    )
