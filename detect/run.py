"""The detection run: a folder of images to keypoint shards, resumable at any moment.

The images, sorted by name, are cut into chunks of `shard_size`; each chunk becomes one shard, written in one
step. A run that finds a shard of exactly the same images, weights and parameters keeps it
(`datasets.shards`), so that a run that was killed goes on where it was, and one after a change starts anew.
Batches end at a shard's end, so that a resumed run computes the same numbers as an undisturbed one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from s2hand.datasets.cameras import square_box
from s2hand.datasets.files import source_digest
from s2hand.datasets.images import list_images
from s2hand.datasets.manifest import Manifest, shard_name
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import Failure, ShardStore, fingerprint
from s2hand.detect.detection import Detection
from s2hand.detect.detector import HandDetector
from s2hand.detect.prefetch import Loaded, prefetch
from s2hand.detect.settings import DetectSettings

Progress = Callable[[int, int], None]  # (images done, images in all), called as often as one likes

GROUP_BATCHES = 4  # batches that are collected at a time, so that images of one size find each other
GROUP_BYTES = 128 << 20  # of decoded images


@dataclass(frozen=True)
class Summary:
    """What a finished run holds, and how fast it went."""

    images: int
    hands: int
    failures: int
    resumed: int  # images of shards that an earlier run had finished
    seconds: float
    mean_confidence: float  # over all joints of all hands; NaN without hands

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
) -> Summary:
    """Detect the hand in each image of a folder, recursively, into shards in the folder `out`.

    `names` picks images by their path relative to `images`; by default all are taken. An image that can't be
    read goes to `failures.parquet` and stops nothing; one without any joint found has no row.
    Read the result with `s2hand.datasets.read_keypoints(out)`.

    Raises ValueError for a missing or empty folder, wrong weights, an unknown device, a folder `out` in use.
    """
    started = time.monotonic()
    chosen = sorted(names) if names is not None else list_images(images)
    detector = HandDetector.load(
        settings.weights,
        settings.device,
        scales=settings.scales,
        variant=settings.variant,
        batch_size=settings.batch_size,
    )
    run = _Run(Path(images), Path(out), settings, detector, progress or (lambda done, total: None))
    return run.run(chosen, started)


@dataclass(frozen=True)
class _Run:
    """One call of `run_detection`."""

    images: Path
    out: Path
    settings: DetectSettings
    detector: HandDetector
    progress: Progress

    def run(self, names: Sequence[str], started: float) -> Summary:
        estimator = self.detector.estimator
        parameters = {**estimator.parameters, "hand": self.settings.hand}
        code = source_digest("s2hand.datasets", "s2hand.detect")
        provenance = Provenance(estimator.name, estimator.weights_sha256, parameters, code)
        store = ShardStore(self.out, provenance)
        size = self.settings.shard_size
        chunks = [names[first : first + size] for first in range(0, len(names), size)]
        with store.writing():
            pending = self._pending(store, chunks)
            resumed = len(names) - sum(map(len, pending.values()))
            self.progress(resumed, len(names))
            self._detect(store, pending, resumed, len(names))
            manifest = store.finish(len(chunks))
        return Summary(
            images=manifest.images,
            hands=manifest.rows,
            failures=manifest.failures,
            resumed=resumed,
            seconds=time.monotonic() - started,
            mean_confidence=mean_confidence(self.out, manifest),
        )

    def _pending(self, store: ShardStore, chunks: Sequence[Sequence[str]]) -> dict[int, Sequence[str]]:
        """Pick the chunks without a shard of exactly these images, this detector and these parameters."""
        pending = {}
        for number, names in enumerate(chunks):
            there = (self.out / shard_name(number)).exists()
            if not there or not store.is_finished(number, [fingerprint(self.images, n) for n in names]):
                pending[number] = names
        return pending

    def _detect(self, store: ShardStore, pending: dict[int, Sequence[str]], done: int, total: int) -> None:
        """Write the shards of the pending chunks; images of later ones are decoded meanwhile."""
        with closing(prefetch(self.images, [n for names in pending.values() for n in names])) as stream:
            for number, names in pending.items():
                sources, rows, failures = [], [], []
                for group in self._groups(islice(stream, len(names))):
                    sources += [one.source for one in group]
                    failures += [Failure(one.source.image, one.problem) for one in group if one.image is None]
                    rows += self._rows(group)
                    done += len(group)
                    self.progress(done, total)
                store.write(number, sources, rows, failures)

    def _groups(self, loaded: Iterable[Loaded]) -> Iterator[list[Loaded]]:
        """Collect what is handed to the detector at once: a few batches, or fewer large photographs."""
        group: list[Loaded] = []
        for one in loaded:
            group.append(one)
            full = len(group) >= GROUP_BATCHES * self.detector.batch_size
            if full or sum(member.nbytes for member in group) >= GROUP_BYTES:
                yield group
                group = []
        if group:
            yield group

    def _rows(self, group: Sequence[Loaded]) -> list[HandRow]:
        """Detect the hand in each readable image of a group."""
        readable = [(one, one.image) for one in group if one.image is not None]
        hands = self.detector.detect([image for _, image in readable], self.settings.hand)
        return [
            self._row(one, image.shape[1], image.shape[0], hand)
            for (one, image), hand in zip(readable, hands, strict=True)
            if hand.confidence.any()
        ]

    def _row(self, loaded: Loaded, width: int, height: int, hand: Detection) -> HandRow:
        return HandRow(
            image=loaded.source.image,
            sha256=loaded.source.sha256,
            width=width,
            height=height,
            hand=self.settings.hand,
            hand_index=0,
            box=square_box(width, height),
            keypoints=np.concatenate([hand.xy, hand.confidence[:, None]], axis=1),
        )


def mean_confidence(folder: Path, manifest: Manifest) -> float:
    """Average the confidence over all joints of a run, shard by shard; NaN if it found no hand."""
    total = count = 0.0
    for shard in manifest.shards:
        column = pq.read_table(folder / shard.name, columns=["keypoints"])["keypoints"].combine_chunks()
        confidence = column.flatten().to_numpy(zero_copy_only=False)[2::3]
        total += float(confidence.sum(dtype=np.float64))
        count += confidence.size
    return total / count if count else float("nan")
