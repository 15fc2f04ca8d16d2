"""One detection run as any process sees it: what to detect, and the tools for it, made once per process."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from s2hand.datasets.manifest import shard_name
from s2hand.datasets.process import core_count
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import ShardStore, fingerprint
from s2hand.detect.detector import HandDetector, find_device
from s2hand.detect.engine import Engine, Task
from s2hand.detect.hands import HandFinder
from s2hand.detect.localize import Localizer, WholeImage
from s2hand.detect.provenance import provenance_of
from s2hand.detect.settings import DetectSettings

Progress = Callable[[int, int], None]  # (images done, images in all), called as often as one likes

READERS = 8  # threads that read images through, to compare them with what a shard was made from


@dataclass(frozen=True)
class Job:
    """What to detect, where to, and how. It travels to other processes, so it holds no network."""

    images: Path
    out: Path
    settings: DetectSettings
    threads: int = 1  # that compute at once on one shard
    run: str = ""  # different for each run: a process that outlives one reads weights and boxes anew for the next


class Counter:
    """Counts finished images, and passes the count on."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self.resumed = 0
        progress(0, total)

    def add(self, images: int, resumed: bool = False) -> None:
        """Count images that are finished now, or were by an earlier run."""
        self._done += images
        self.resumed += images if resumed else 0
        self._progress(self._done, self._total)


@dataclass(frozen=True)
class Tools:
    """What one process needs to work on a job's shards."""

    engine: Engine
    store: ShardStore

    @property
    def provenance(self) -> Provenance:
        """Return what the shards are made from."""
        return self.store.provenance

    def process(self, tasks: Sequence[Task], counter: Counter) -> None:
        """Make every shard that is not there yet."""
        finished = self.finished(tasks)
        counter.add(sum(len(names) for number, names in tasks if number in finished), resumed=True)
        for _ in self.make([task for task in tasks if task[0] not in finished], counter.add):
            pass

    def finished(self, tasks: Sequence[Task]) -> set[int]:
        """Return the numbers of the shards that are there, made from exactly these images, detector and parameters."""
        found = set()
        with ThreadPoolExecutor(READERS) as pool:
            for number, names in tasks:
                if (self.store.folder / shard_name(number)).exists():
                    sources = list(pool.map(partial(fingerprint, self.engine.root), names))
                    found |= {number} if self.store.is_finished(number, sources) else set()
        return found

    def make(self, tasks: Sequence[Task], done: Callable[[int], None]) -> Iterator[int]:
        """Detect and write shard after shard; `done` is told how many photographs are finished."""
        for number, group in self.engine.run(tasks, done):
            self.store.write(number, group.sources, group.rows, group.failures)
            yield number


def open_job(job: Job) -> Tools:
    """Load networks and weights; ValueError for wrong weights, an unknown device, a wrong file of boxes."""
    settings = job.settings
    detector = HandDetector.load(
        settings.weights,
        settings.device,
        scales=settings.scales,
        variant=settings.variant,
        batch_size=settings.batch_size,
        precision=settings.precision,
        compile=settings.compile,
    )
    _refuse_unread(settings, detector.estimator.name)
    finder = HandFinder(detector, make_localizer(settings), settings.box_scale, settings.least_confidence)
    return Tools(
        Engine(job.images, finder, job.threads), ShardStore(job.out, provenance_of(finder, settings.batch_size))
    )


def _refuse_unread(settings: DetectSettings, network: str) -> None:
    """Refuse options that nobody would read."""
    defaults = DetectSettings()
    if network != "openpose":
        for name in ("scales", "variant", "compile"):
            if getattr(settings, name) != getattr(defaults, name):
                raise ValueError(f"--{name}: of OpenPose's network only; leave it out, or give its --weights")
    if settings.localize != "body" and settings.body_weights != defaults.body_weights:
        raise ValueError("--body-weights: of --localize body only; leave it out, or say so")


def make_localizer(settings: DetectSettings) -> Localizer:
    """Return what tells where the hands are; ValueError for a wrong file of boxes or weights."""
    if settings.boxes is not None:
        from s2hand.detect.box_table import BoxTableLocalizer

        return BoxTableLocalizer.read(Path(settings.boxes), settings.hand)
    if settings.localize == "body":
        from s2hand.detect.body.localizer import BodyLocalizer

        return BodyLocalizer.load(settings.body_weights, find_device(settings.device))
    if settings.localize == "slim":
        from s2hand.detect.boxes.localizer import SlimLocalizer

        return SlimLocalizer.load(device=find_device(settings.device))
    return WholeImage(settings.hand)


THREADS_ON_GPU = 2  # one prepares its group while the device works on the other's


def compute_count(device: str) -> int:
    """Return how many threads should compute at once in a process that has this machine for itself."""
    if find_device(device).type == "cuda":
        return THREADS_ON_GPU
    return core_count()
