"""Image files read and decoded ahead of the network, in order, with bounded memory."""

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import sha256_bytes
from s2hand.datasets.images import ImageError, decode_image, read_image_bytes
from s2hand.datasets.shards import Source
from s2hand.detect.detector import image_problem

AHEAD = 512  # images
AHEAD_BYTES = 256 << 20  # of decoded images
MOST_THREADS = 8


@dataclass(frozen=True, eq=False)
class Loaded:
    """One image file: its pixels, or the reason why there are none."""

    source: Source
    image: NDArray[np.uint8] | None  # [H, W, 3] RGB, upright
    problem: str = ""
    width: int = 0  # pixels of the upright photograph in the file; `image` may be smaller
    height: int = 0

    @property
    def nbytes(self) -> int:
        """Count the bytes of the pixels."""
        return 0 if self.image is None else self.image.nbytes


def load(root: Path, name: str) -> Loaded:
    """Read, digest and decode one file; a file that fails gives the reason, in one line, and no exception."""
    path = root / name
    try:
        data = read_image_bytes(path)
    except ImageError as error:
        return Loaded(Source(name, 0, ""), None, str(error).removeprefix(f"{path}: "))
    source = Source(name, len(data), sha256_bytes(data))
    try:
        image = decode_image(data, name)
    except ImageError as error:
        return Loaded(source, None, str(error).removeprefix(f"{name}: "))
    problem = image_problem(image)
    return Loaded(source, None, problem) if problem else Loaded(source, image, "", image.shape[1], image.shape[0])


def prefetch(root: Path, names: Sequence[str]) -> Generator[Loaded]:
    """Yield each image in order, while threads load the next ones.

    Loading pauses while AHEAD images wait, or AHEAD_BYTES of pixels. Closing the iterator stops the threads.
    """
    waiting: deque[Future[Loaded]] = deque()
    upcoming = iter(enumerate(names))
    budget = _Budget()
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="decode")
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

    def __init__(self) -> None:
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
        loaded = load(root, name)
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
