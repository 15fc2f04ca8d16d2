"""The detection run: a folder of images to keypoint shards, by one process or many, resumable at any moment.

The images are distributed over shards by a plan that keeps its word (`datasets.plan`); each shard is written in one
step. A run that finds a shard of exactly the same images, detector and parameters keeps it (`datasets.shards`), so
that a run that was killed goes on where it was, one with more images detects only those, and one after a change
starts anew.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from s2hand.datasets.boxes import read_boxes
from s2hand.datasets.files import digest
from s2hand.datasets.listing import Listing, list_items
from s2hand.datasets.manifest import Manifest
from s2hand.datasets.plan import plan_key, plan_shards
from s2hand.datasets.replaceable import check_replaceable
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import ShardStore
from s2hand.detect.engine import Task
from s2hand.detect.job import Counter, Job, Progress, compute_count, open_job
from s2hand.detect.settings import DetectSettings


@dataclass(frozen=True)
class Summary:
    """What a finished run holds, and how fast it went.

    Examples:
        >>> from pathlib import Path
        >>> from s2hand.detect import DetectSettings, run_detection
        >>> summary = run_detection(Path("photographs"), Path("keypoints"), DetectSettings())
        >>> summary.hands, summary.resumed, summary.images_per_second > 0
        (2, 0, True)
    """

    root: Path  # the folder that images' names are relative to
    images: int
    hands: int
    failures: int
    resumed: int  # images of shards that an earlier run had finished
    seconds: float
    mean_confidence: float  # over all joints of all hands; NaN without hands
    boxes_unused: int = 0  # images that the file of boxes has, and the folder has not

    @property
    def images_per_second(self) -> float:
        """Return the speed of the images that this run worked on itself."""
        return (self.images - self.resumed) / max(self.seconds, 1e-9)


def run_detection(
    images: Path,
    out: Path,
    settings: DetectSettings,
    progress: Progress | None = None,
    names: Sequence[str] | None = None,
    anew: bool = False,
) -> Summary:
    """Detect the hands in each image of a folder and frame of its videos, recursively, into shards in the folder `out`.

    `images` may also be one image or video file. `names` picks images and frames by their path relative to the folder;
    by default all are taken, of videos every `settings.every`-th frame. An image that can't be
    read goes to `failures.parquet` and stops nothing; one without any joint found has no row.
    Read the result with `s2hand.datasets.read_keypoints(out)`.

    A folder `out` with the keypoints of other images, weights or parameters is refused, unless `anew` says to replace
    them.

    Raises ValueError for a missing or empty folder, wrong weights, an unknown device, a folder `out` in use, and
    for workers that do not see the same files and code, and for a file of boxes that is of another folder.

    Examples:
        >>> from pathlib import Path
        >>> from s2hand.detect import DetectSettings, run_detection
        >>> summary = run_detection(Path("photographs"), Path("keypoints"), DetectSettings())
        >>> summary.images, summary.hands, summary.failures
        (2, 2, 0)
    """
    started = time.monotonic()
    listed = Listing(Path(images), sorted(set(names))) if names is not None else list_items(images, settings.every)
    chosen = listed.names
    unused = _boxes_unused(settings, listed)
    if Path(out).absolute() == listed.root.absolute():
        raise ValueError(f"{out}: is the folder of the photographs; give keypoints a folder of their own")
    job = Job(listed.root.absolute(), Path(out).absolute(), settings, run=secrets.token_hex(8))
    counter = Counter(progress or (lambda done, total: None), len(chosen))
    with _crew(job) as crew:
        store = ShardStore(job.out, crew.provenance)
        made_for = digest(store.provenance.as_json())
        check_replaceable(job.out, chosen, store.provenance, plan_key(settings.shard_size, made_for), anew)
        with store.writing():
            shards = plan_shards(store.folder, chosen, settings.shard_size, made_for)
            crew.process(list(enumerate(shards)), counter)
            manifest = store.finish(len(shards))
    return Summary(
        root=listed.root,
        images=manifest.images,
        hands=manifest.rows,
        failures=manifest.failures,
        resumed=counter.resumed,
        seconds=time.monotonic() - started,
        mean_confidence=mean_confidence(store.folder, manifest),
        boxes_unused=unused,
    )


def _boxes_unused(settings: DetectSettings, listed: Listing) -> int:
    if settings.boxes is None:
        return 0
    return read_boxes(Path(settings.boxes), settings.hand).images_absent(listed.names, listed.root)


class Crew(Protocol):
    """Who does the work: this process, or many."""

    @property
    def provenance(self) -> Provenance:
        """Return what the shards are made from."""

    def process(self, tasks: Sequence[Task], counter: Counter) -> None:
        """Have every shard made that is not there yet."""


@contextmanager
def _crew(job: Job) -> Iterator[Crew]:
    if job.settings.workers == 1 and job.settings.scheduler is None:
        yield open_job(replace(job, threads=compute_count(job.settings.device)))
        return
    from s2hand.detect.cluster import open_cluster

    with open_cluster(job) as cluster:
        yield cluster


def mean_confidence(folder: Path, manifest: Manifest) -> float:
    """Average the confidence over all joints of a run, shard by shard; NaN if it found no hand."""
    total = count = 0.0
    for shard in manifest.shards:
        column = pq.read_table(folder / shard.name, columns=["keypoints"])["keypoints"].combine_chunks()
        confidence = column.flatten().to_numpy(zero_copy_only=False)[2::3]
        total += float(confidence.sum(dtype=float))
        count += confidence.size
    return total / count if count else float("nan")
