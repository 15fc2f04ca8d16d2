"""Keypoint shards: a detection run that survives a crash and never passes off old results as new ones.

A run writes `part-00000.parquet`, `part-00001.parquet`, ... into its folder, one per chunk of the images,
then `failures.parquet` (image, reason), then `manifest.json`, which alone says that the run is complete:

    code = source_digest("s2hand.datasets", "s2hand.detect")
    store = ShardStore(folder, Provenance(detector, weights_sha256, parameters, code))
    with store.writing():                                    # lock; remove the old manifest and leftovers
        for number, names in enumerate(chunks):              # chunks of the sorted image names
            sources = [fingerprint(root, name) for name in names]
            if not store.is_finished(number, sources):       # missing, or of other images or parameters
                store.write(number, sources, rows, failures) # HandRows, Failures; one atomic file
        manifest = store.finish(number_of_chunks)            # drop surplus shards; failures; manifest

    read_keypoints(folder)                                   # refuses what is incomplete or altered

Each shard carries, in its schema's metadata, a digest of all that it was made from: the provenance (detector,
weights, parameters, code, package version) and the path, size and SHA-256 of each of its images. A shard is
finished only if that digest is the one expected now. It carries its failures too, so that a skipped shard
still reports them. `is_finished` and `write` may be called in other processes while one process is
`writing()`.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from s2hand.datasets.files import DataError, digest, remove_partial_files, replacing, sha256_file
from s2hand.datasets.listing import item_identity
from s2hand.datasets.manifest import FORMAT, MANIFEST, Manifest, Shard, shard_name, shard_names
from s2hand.datasets.rows import HandRow, Provenance, check_schema, rows_to_table

FAILURES = "failures.parquet"
FAILURE_SCHEMA = pa.schema(
    [pa.field("image", pa.string(), nullable=False), pa.field("reason", pa.string(), nullable=False)]
)

# Beside the provenance in a shard's metadata.
DIGEST, _IMAGES, _FAILURES, _WRITER = b"digest", b"images", b"failures", b"writer"


@dataclass(frozen=True)
class Source:
    """An image file that a shard is made from. One that can't be read has size 0 and no SHA-256."""

    image: str  # relative to the images' root
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Failure:
    """An image that gave no keypoints because it can't be read, and why."""

    image: str
    reason: str


def fingerprint(root: Path, image: str) -> Source:
    """Read the file of an image or a frame through and say which bytes it holds."""
    return Source(image, *item_identity(root, image))


@dataclass(frozen=True)
class ShardStore:
    """The folder of one detection run, and what the run is made from; its use is shown above."""

    folder: Path
    provenance: Provenance

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the folder, keep other runs out of it, and remove the old manifest and what killed writers left.

        Finished shards stay. The lock ends with the process, however that ends.

        Raises:
            DataError: another run is writing here, or the path is a file.
        """
        make_folder(self.folder)
        with only_writer(self.folder):
            (self.folder / MANIFEST).unlink(missing_ok=True)
            remove_partial_files(self.folder)
            yield

    def is_finished(self, number: int, sources: Sequence[Source]) -> bool:
        """Whether shard `number` is whole and made from exactly these images, parameters and weights."""
        path = self.folder / shard_name(number)
        try:
            content = path.read_bytes()
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            table = file.read()
            writer = file.metadata.created_by.encode()
            check_schema(table.schema, path)
        except (pa.ArrowException, OSError, ValueError):
            return False  # missing, damaged or foreign: to be written anew
        metadata = table.schema.metadata or {}
        if metadata.get(DIGEST) != self._digest(sources).encode():
            return False
        # Checksums cover pages, not what surrounds them: the writer of the same version must give the same bytes.
        return bool(metadata.get(_WRITER) == writer and (writer != _writer() or _serialized(table) == content))

    def write(
        self, number: int, sources: Sequence[Source], rows: Sequence[HandRow], failures: Sequence[Failure]
    ) -> None:
        """Write shard `number` in one step. Every source has its rows (one per hand, or none) or one failure.

        Raises:
            ValueError: a row or failure is of no source, or of one that changed while it was being processed.
        """
        _check_against(sources, rows, failures)
        metadata = {
            **self.provenance.as_metadata(),
            DIGEST: self._digest(sources).encode(),
            _IMAGES: str(len(sources)).encode(),
            _FAILURES: json.dumps([asdict(failure) for failure in failures], ensure_ascii=False).encode(),
            _WRITER: _writer(),
        }
        _write_table(self.folder / shard_name(number), rows_to_table(rows, metadata))

    def finish(self, count: int) -> Manifest:
        """End a run of `count` shards: remove others and what killed workers left, then write failures and manifest.

        Raises:
            DataError: a shard is missing, or was not made from this store's provenance.
        """
        for name in sorted(shard_names(self.folder) - {shard_name(number) for number in range(count)}):
            (self.folder / name).unlink()
        remove_partial_files(self.folder)
        shards, failures = [], []
        for number in range(count):
            shard, failed = self._finished_shard(number)
            shards.append(shard)
            failures += failed
        columns = [[failure["image"] for failure in failures], [failure["reason"] for failure in failures]]
        _write_table(self.folder / FAILURES, pa.table(columns, schema=FAILURE_SCHEMA))
        manifest = Manifest(
            provenance=self.provenance,
            digest=digest([shard.digest for shard in shards]),
            images=sum(shard.images for shard in shards),
            rows=sum(shard.rows for shard in shards),
            failures=len(failures),
            shards=tuple(shards),
        )
        manifest.write(self.folder)
        return manifest

    def _digest(self, sources: Sequence[Source]) -> str:
        inputs = [asdict(source) for source in sources]
        return digest({"format": FORMAT, "provenance": self.provenance.as_json(), "inputs": inputs})

    def _finished_shard(self, number: int) -> tuple[Shard, list[dict[str, str]]]:
        path = self.folder / shard_name(number)
        if not path.is_file():
            raise DataError(f"{path}: missing; the run can't be complete without it")
        stored = pq.read_metadata(path)
        metadata: dict[bytes, bytes] = stored.schema.to_arrow_schema().metadata or {}
        if any(metadata.get(key) != value for key, value in self.provenance.as_metadata().items()):
            raise DataError(f"{path}: was made by another detector or with other parameters; write it anew")
        failed: list[dict[str, str]] = json.loads(metadata[_FAILURES])
        images = int(metadata[_IMAGES])
        return Shard(path.name, images, stored.num_rows, metadata[DIGEST].decode(), sha256_file(path)), failed


def make_folder(folder: Path) -> None:
    """Make the folder of a run; `DataError` if the path is a file or below one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"{folder}: is a file or below one; expected a folder for shards") from None


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; `DataError` if one is in it."""
    # On the folder itself: no lock file can be left behind, and the system lets go when the process ends.
    # File systems without such locks exist (NFS, for one); there, nothing keeps a second run out.
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise DataError(f"{folder}: another run is writing here; wait for it or stop it") from None
        yield
    finally:
        os.close(handle)


def _check_against(sources: Sequence[Source], rows: Sequence[HandRow], failures: Sequence[Failure]) -> None:
    expected = {source.image: source.sha256 for source in sources}
    failed = {failure.image for failure in failures}
    for image in [*failed, *(row.image for row in rows)]:
        if image not in expected:
            raise ValueError(f"{image}: not among the images of this shard")
    for row in rows:
        if row.image in failed:
            raise ValueError(f"{row.image}: has both keypoints and a failure")
        if row.sha256 != expected[row.image]:
            raise DataError(f"{row.image}: changed while it was being processed; run detection again")


def _write_table(path: Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(_serialized(table))


def _serialized(table: pa.Table) -> bytes:
    """Return the bytes of a Parquet file, the same whenever the same version writes the same table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


@lru_cache(maxsize=1)
def _writer() -> bytes:
    """Return how the Parquet writer names itself in the files that it makes."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({}), sink)
    name: str = pq.read_metadata(pa.BufferReader(sink.getvalue())).created_by
    return name.encode()
