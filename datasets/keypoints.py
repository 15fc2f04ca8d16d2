"""Read the keypoints of a finished detection run: as a table, shard by shard, or as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, sha256_file
from s2hand.datasets.manifest import Shard, read_manifest, shard_names
from s2hand.datasets.rows import SCHEMA, check_schema, keypoints_problem
from s2hand.datasets.shards import FAILURES
from s2hand.datasets.skeleton import JOINT_COUNT


def read_keypoints(folder: str | Path) -> pa.Table:
    """Read all keypoints of a finished detection run as one table; its schema's metadata is the provenance.

    Raises:
        DataError: the run is not complete, or a shard is missing, altered or of another kind.

    Examples:
        >>> from s2hand.datasets import read_keypoints
        >>> table = read_keypoints("shards")
        >>> table.num_rows
        2
        >>> table["image"].to_pylist()
        ['one.jpg', 'two.jpg']
        >>> table.schema.metadata[b"detector"]
        b'slim'
    """
    schema = SCHEMA.with_metadata(read_manifest(Path(folder)).provenance.as_metadata())
    return pa.concat_tables([schema.empty_table(), *iterate_keypoints(folder)])


def iterate_keypoints(folder: str | Path) -> Iterator[pa.Table]:
    """Read a finished detection run as `read_keypoints` does, but shard by shard, with the memory of one.

    All hands of an image are in one shard.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    surplus = sorted(shard_names(folder) - {shard.name for shard in manifest.shards})
    if surplus:
        raise DataError(f"{folder / surplus[0]}: not in the manifest; remove it or run detection again")
    schema = SCHEMA.with_metadata(manifest.provenance.as_metadata())
    for shard in manifest.shards:
        table = _read_shard(folder, shard).cast(schema)
        problem = keypoints_problem(to_arrays(table).keypoints)
        if problem is not None:
            raise DataError(f"{folder / shard.name}: not a table of keypoints: {problem}; run detection again")
        yield table


def read_failures(folder: str | Path) -> dict[str, str]:
    """Return which images of a finished detection run could not be read, and why; empty where all could.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = Path(folder) / FAILURES
    try:
        table = pq.read_table(path, columns=["image", "reason"])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a table of failures ({error}); run detection again") from error
    return dict(zip(table["image"].to_pylist(), table["reason"].to_pylist(), strict=True))


def _read_shard(folder: Path, shard: Shard) -> pa.Table:
    path = folder / shard.name
    if not path.is_file():
        raise DataError(f"{path}: is in the manifest but missing; run detection again")
    if sha256_file(path) != shard.sha256:
        raise DataError(f"{path}: was altered after the run ended; run detection again")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({error}); run detection again") from error
    check_schema(table.schema, path)
    if table.num_rows != shard.rows:
        raise DataError(f"{path}: expected {shard.rows} rows, found {table.num_rows}; run detection again")
    return table


@dataclass(frozen=True, eq=False)
class KeypointArrays:
    """A keypoint table as NumPy arrays, N rows."""

    images: list[str]  # N
    sha256: list[str]  # N
    hands: list[str]  # N, right or left
    hand_index: NDArray[np.int16]  # [N]
    sizes: NDArray[np.int32]  # [N, 2] width, height
    boxes: NDArray[np.float32]  # [N, 4] x, y, w, h
    keypoints: NDArray[np.float32]  # [N, 21, 3] x, y, confidence


def to_arrays(table: pa.Table) -> KeypointArrays:
    """Return a keypoint table's columns as arrays (copies, writable)."""
    table = table.combine_chunks()

    def lists(name: str, *shape: int) -> NDArray[np.float32]:
        chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in table[name].chunks]
        joined: NDArray[np.float32] = np.concatenate([*chunks, np.empty(0, np.float32)])
        return joined.reshape(-1, *shape)

    return KeypointArrays(
        images=table["image"].to_pylist(),
        sha256=table["sha256"].to_pylist(),
        hands=table["hand"].to_pylist(),
        hand_index=np.array(table["hand_index"].to_numpy(), np.int16),
        sizes=np.stack([table["width"].to_numpy(), table["height"].to_numpy()], axis=1).astype(np.int32),
        boxes=lists("box", 4),
        keypoints=lists("keypoints", JOINT_COUNT, 3),
    )
