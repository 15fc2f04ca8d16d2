"""Image files read and decoded ahead of the network, in order, with bounded memory."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.image_files import ImageError, ImageMemoryError
from s2hand.datasets.listing import read_item
from s2hand.datasets.process import core_count
from s2hand.datasets.shards import Source
from s2hand.detect.detector import size_problem

AHEAD = 512  # images
AHEAD_BYTES = 256 << 20  # of decoded images
MOST_THREADS = 8
REDUCTIONS = (1, 2, 4, 8)  # that JPEG decoders know


@dataclass(frozen=True, eq=False)
class Loaded:
    """One photograph: its pixels, or the reason why there are none."""

    source: Source
    image: NDArray[np.uint8] | None  # [H, W, 3] RGB, upright; a point at x, y of the photograph is at x / reduce here
    problem: str = ""
    width: int = 0  # pixels of the upright photograph
    height: int = 0
    reduce: int = 1

    @property
    def nbytes(self) -> int:
        """Count the bytes of the pixels."""
        return 0 if self.image is None else self.image.nbytes


def load(root: Path, name: str, enough: int | None = None) -> Loaded:
    """Read, digest and decode one image or frame; one that fails gives the reason, in one line, and no exception.

    `enough`: pixels that suffice for the longer side. A larger JPEG is decoded smaller, which is several times faster.
    """
    item = read_item(root, name)
    source = Source(name, item.size, item.sha256)
    try:
        if item.frame is not None or enough is None:
            reduce, image = 1, item.decode()
            height, width = image.shape[:2]
        else:
            width, height = item.image_size()
            reduce = max(one for one in REDUCTIONS if one == 1 or max(width, height) >= one * enough)
            image = item.decode(reduce)
    except ImageMemoryError as error:
        # Of no bytes: a shard with such a source is not taken for finished, and the next run tries again.
        return Loaded(Source(name, 0, ""), None, error.reason)
    except ImageError as error:
        return Loaded(source, None, error.reason)
    problem = size_problem(width, height)
    return Loaded(source, None if problem else image, problem or "", width, height, reduce)


def prefetch(root: Path, names: Sequence[str], enough: int | None = None) -> Generator[Loaded]:
    """Yield each image in order, as `load` gives it, while threads load the next ones.

    Loading pauses while AHEAD images wait, or AHEAD_BYTES of pixels. Closing the iterator stops the threads.
    """
    waiting: deque[Future[Loaded]] = deque()
    upcoming = iter(enumerate(names))
    budget = _Budget(enough)
    pool = ThreadPoolExecutor(min(MOST_THREADS, core_count()), thread_name_prefix="decode")
    try:
        while True:
            while len(waiting) < AHEAD and (item := next(upcoming, None)) is not None:
                waiting.append(pool.submit(budget.load, root, *item))
            if not waiting:
                return
            loaded = waiting.popleft().result()
            budget.taken(loaded)
            yield loaded
    finally:
        budget.stop()
        pool.shutdown(cancel_futures=True)


class _Budget:
    """Counts the decoded bytes that nobody has taken yet; the threads wait while they are too many."""

    def __init__(self, enough: int | None) -> None:
        self._enough = enough
        self._changed = Condition()
        self._held = 0
        self._next = 0  # the image that is taken next
        self._stopped = False

    def load(self, root: Path, index: int, name: str) -> Loaded:
        """Load one image when there is room; the one that is taken next never waits, lest all wait for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._held < AHEAD_BYTES or index == self._next or self._stopped)
            if self._stopped:
                return Loaded(Source(name, 0, ""), None, "stopped")
        loaded = load(root, name, self._enough)
        with self._changed:
            self._held += loaded.nbytes
        return loaded

    def taken(self, loaded: Loaded) -> None:
        with self._changed:
            self._held -= loaded.nbytes
            self._next += 1
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
