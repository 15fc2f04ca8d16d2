"""Which image belongs to which shard: decided once, so that images that are added later move no other.

The first run cuts the sorted names into shards of `shard_size`. A later run of the same provenance keeps every
image where it is, forgets those that are gone, and cuts the new ones into shards of their own, after the others.
The file `plan.parquet` (image, shard) is written before any shard: a run that was killed goes on by the same plan.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from s2hand.datasets.files import replacing

PLAN = "plan.parquet"
_MADE_FOR = b"made_for"
_SCHEMA = pa.schema([pa.field("image", pa.string(), nullable=False), pa.field("shard", pa.int32(), nullable=False)])

Shards = list[tuple[str, ...]]  # the images of each shard, by its number


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
    key = f"{shard_size} {made_for}".encode()
    kept = _keep(_read(folder, key), names)
    planned = {name for shard in kept for name in shard}
    new = [name for name in names if name not in planned]
    shards = kept + [tuple(new[first : first + shard_size]) for first in range(0, len(new), shard_size)]
    _write(folder, shards, key)
    return shards


def _keep(old: Shards, names: Sequence[str]) -> Shards:
    there = set(names)
    kept = [tuple(name for name in shard if name in there) for shard in old]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _read(folder: Path, key: bytes) -> Shards:
    try:
        table = pq.read_table(folder / PLAN, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        return []
    if not table.schema.equals(_SCHEMA, check_metadata=False) or (table.schema.metadata or {}).get(_MADE_FOR) != key:
        return []
    shard = table["shard"].to_numpy()
    if np.any(np.diff(shard, prepend=0) < 0):
        return []
    names = table["image"].to_pylist()
    edges = np.searchsorted(shard, np.arange(int(shard[-1]) + 2 if len(shard) else 1))
    return [tuple(names[first:last]) for first, last in itertools.pairwise(edges)]


def _write(folder: Path, shards: Shards, key: bytes) -> None:
    lengths = [len(shard) for shard in shards]
    columns = [
        pa.array([name for shard in shards for name in shard], pa.string()),
        pa.array(np.repeat(np.arange(len(shards), dtype=np.int32), lengths)),
    ]
    table = pa.Table.from_arrays(columns, schema=_SCHEMA.with_metadata({_MADE_FOR: key}))
    with replacing(folder / PLAN) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
