"""Photographs to shards, with every part of the machine at work.

    read and decode  ->  find hands, cut them out, network, peaks  ->  rows in order
    threads, ahead       a group of photographs per compute thread     the caller, who writes them

A group ends at its shard's end, holds a number of photographs that depends on nothing but the detector, and is
computed by one thread alone: a shard's bytes depend neither on the number of threads or processes, nor on which
shards were made before. On a GPU, one thread prepares its group while the device works on another's.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from s2hand.detect.hands import Group, HandFinder
from s2hand.detect.prefetch import Loaded, prefetch
from s2hand.detect.threads import compute_threads

GROUP_BATCHES = 4  # batches that are collected at a time, so that hands of one bucket find each other
GROUP_BYTES = 64 << 20  # of decoded photographs

T = TypeVar("T")
Task = tuple[int, Sequence[str]]  # number of a shard, names of its images


@dataclass(frozen=True)
class Engine:
    """Detects the photographs below `root` with a number of threads."""

    root: Path
    finder: HandFinder
    threads: int

    def run(self, tasks: Sequence[Task], done: Callable[[int], None]) -> Generator[tuple[int, Group]]:
        """Yield each shard's number and content in order; `done` is told how many photographs are finished."""
        names = [name for _, images in tasks for name in images]
        with closing(prefetch(self.root, names, self.finder.enough)) as stream, compute_threads(self.threads) as pool:
            whole = Group()
            for number, future in drawn_ahead(self._submit(tasks, stream, pool), self.threads + 1):
                if future is None:
                    yield number, whole
                    whole = Group()
                    continue
                part = future.result()
                whole.sources.extend(part.sources)
                whole.rows.extend(part.rows)
                whole.failures.extend(part.failures)
                done(len(part.sources))

    def _submit(
        self, tasks: Sequence[Task], stream: Iterator[Loaded], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Future[Group] | None]]:
        """Hand over group after group; None stands for the end of a shard."""
        for number, names in tasks:
            for group in self._groups(islice(stream, len(names))):
                yield number, pool.submit(self.finder.find, group)
            yield number, None

    def _groups(self, loaded: Iterable[Loaded]) -> Iterator[list[Loaded]]:
        """Collect what one thread works on at a time: a few batches, or fewer large photographs."""
        batch = self.finder.detector.batch_size
        most = batch * (GROUP_BATCHES if batch > 1 else 1)
        group: list[Loaded] = []
        for one in loaded:
            group.append(one)
            if len(group) >= most or sum(member.nbytes for member in group) >= GROUP_BYTES:
                yield group
                group = []
        if group:
            yield group


def drawn_ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """Yield the items of an iterator, of which the next `count` are drawn before they are asked for."""
    waiting = deque(islice(items, count))
    while waiting:
        item = waiting.popleft()
        waiting.extend(islice(items, 1))
        yield item
