"""Which image belongs to which shard: decided once, so that images that are added later move no other.

The first run cuts the sorted names into shards of `shard_size`. A later run of the same provenance keeps every
image where it is, forgets those that are gone, and cuts the new ones into shards of their own, after the others.
The file `plan.parquet` (image, shard) is written before any shard: a run that was killed goes on by the same plan.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from s2hand.datasets.files import replacing

PLAN = "plan.parquet"
_MADE_FOR = b"made_for"
_SCHEMA = pa.schema([pa.field("image", pa.string(), nullable=False), pa.field("shard", pa.int32(), nullable=False)])

Shards = list[tuple[str, ...]]  # the images of each shard, by its number


@dataclass(frozen=True)
class Plan:
    """A stored plan, and what it was made for."""

    key: str
    shards: Shards


def plan_key(shard_size: int, made_for: str) -> str:
    """Say what a plan depends on besides the images: the shard size and a digest of detector and parameters."""
    return f"{shard_size} {made_for}"


def plan_shards(
    folder: Path,
    names: Sequence[str],  # of all images, sorted, each once
    shard_size: int,
    made_for: str,
) -> Shards:
    """Distribute images over shards, as the plan in `folder` says where it can, and store the new plan there.

    `made_for` is a digest of all that a plan depends on besides the images, such as detector and parameters: where
    it or `shard_size` is another than the stored plan's, or that is damaged, the plan is made anew. A shard whose
    images are all gone stays, empty.
    """
    key = plan_key(shard_size, made_for)
    old = read_plan(folder)
    kept = _keep(old.shards if old is not None and old.key == key else [], names)
    planned = {name for shard in kept for name in shard}
    new = [name for name in names if name not in planned]
    shards = kept + [tuple(new[first : first + shard_size]) for first in range(0, len(new), shard_size)]
    _write(folder, shards, key.encode())
    return shards


def read_plan(folder: Path) -> Plan | None:
    """Read the plan in a folder; None if there is none, or one that is damaged."""
    try:
        table = pq.read_table(folder / PLAN, page_checksum_verification=True)
        key = (table.schema.metadata or {})[_MADE_FOR].decode()
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return None
    shard = table["shard"].to_numpy() if table.schema.equals(_SCHEMA, check_metadata=False) else np.array([-1])
    if np.any(np.diff(shard, prepend=0) < 0):
        return None
    names = table["image"].to_pylist()
    edges = np.searchsorted(shard, np.arange(int(shard[-1]) + 2 if len(shard) else 1))
    return Plan(key, [tuple(names[first:last]) for first, last in itertools.pairwise(edges)])


def _keep(old: Shards, names: Sequence[str]) -> Shards:
    there = set(names)
    kept = [tuple(name for name in shard if name in there) for shard in old]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _write(folder: Path, shards: Shards, key: bytes) -> None:
    lengths = [len(shard) for shard in shards]
    columns = [
        pa.array([name for shard in shards for name in shard], pa.string()),
        pa.array(np.repeat(np.arange(len(shards), dtype=np.int32), lengths)),
    ]
    table = pa.Table.from_arrays(columns, schema=_SCHEMA.with_metadata({_MADE_FOR: key}))
    with replacing(folder / PLAN) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
