"""A run of detection, without a detector."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import sha256_file
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, Source, fingerprint

SLIM = Provenance("slim", "aa", {"scales": [1.0]}, "cc")


def detect(root: Path, sources: Sequence[Source]) -> tuple[list[HandRow], list[Failure]]:
    """A detector whose keypoints follow from the file's bytes."""
    rows, failures = [], []
    for source in sources:
        content = (root / source.image).read_bytes()
        if content == b"broken":
            failures.append(Failure(source.image, "not an image: ü"))
            continue
        points = np.random.default_rng(list(content)).uniform(0.1, 1, (21, 3)).astype(np.float32)
        rows.append(HandRow(source.image, source.sha256, 9, 9, "left", 0, Box(0, 0, 9, 9), points))
    return rows, failures


def detect_all(root: Path, out: Path, provenance: Provenance, shard_size: int = 2) -> list[int]:
    """A whole run as `s2hand.datasets.shards` describes it; return the shards that were written."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    chunks = [names[start : start + shard_size] for start in range(0, len(names), shard_size)]
    store, written = ShardStore(out, provenance), []
    with store.writing():
        for number, chunk in enumerate(chunks):
            sources = [fingerprint(root, name) for name in chunk]
            if not store.is_finished(number, sources):
                store.write(number, sources, *detect(root, sources))
                written.append(number)
        store.finish(len(chunks))
    return written


def contents(folder: Path) -> dict[str, str]:
    """The digests of a folder's files, by name."""
    return {path.name: sha256_file(path) for path in folder.iterdir()}
