"""Trainings side by side: as many at a time as there are to be, each when what it starts from is finished.

Several trainings of one thread each are much quicker on a CPU than one after the other on all threads.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty

from s2hand.datasets.process import core_count
from s2hand.detect.console import Report as Show
from s2hand.detect.console import note, show_progress
from s2hand.detect.interrupts import deaf_to_interrupts
from s2hand.train.interrupt import deferred_interrupt
from s2hand.train.progress import Report
from s2hand.train.settings import TrainSettings

MOST = 4  # trainings at a time, unless more are asked for: each takes about a gigabyte
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """A training."""

    title: str
    settings: TrainSettings
    pack: Path
    folder: Path  # of its result, and its name: jobs of the same folder are the same
    hand: str
    samples: int  # that it sees
    after: Path | None  # the folder of another job, whose result it starts from


def usual_jobs() -> int:
    """How many trainings run at a time on this machine: one with a GPU, otherwise one per core, up to `MOST`."""
    import torch

    return 1 if torch.cuda.is_available() else min(core_count(), MOST)


def run_jobs(name: str, jobs: Sequence[Job], count: int) -> None:
    """Run all jobs, `count` at a time, showing how far they are; what is finished already takes little time.

    Ctrl-C saves each training where it is and raises KeyboardInterrupt. Raises ValueError where a training fails.
    """
    waiting = list({job.folder: job for job in jobs}.values())
    context = multiprocessing.get_context("spawn")
    threads = max(1, core_count() // count)
    seen: Queue[tuple[str, int]] = context.Queue()
    stop = context.Event()
    # An exception at any point could leave a future locked, and the shutdown waiting for it.
    with deferred_interrupt() as pressed, show_progress(name) as show:
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(threads, seen, stop))
        try:
            _Schedule(waiting, count, pool, seen, show, pressed).run()
        except BrokenProcessPool as error:
            raise ValueError(f"{name}: a training was killed; run the same command again to go on") from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


class _Schedule:
    def __init__(
        self,
        waiting: list[Job],
        count: int,
        pool: ProcessPoolExecutor,
        seen: "Queue[tuple[str, int]]",
        show: Show,
        pressed: Callable[[], bool],
    ) -> None:
        self.waiting, self.count, self.pool, self.seen, self.show = waiting, count, pool, seen, show
        self.pressed = pressed
        self.samples = {str(job.folder): 0 for job in waiting}
        self.total = sum(job.samples for job in waiting)
        self.running: dict[Future[str | None], Job] = {}
        self.done: set[Path | None] = {None}

    def run(self) -> None:
        while self.waiting or self.running:
            self._start()
            finished, _ = wait(self.running, _POLL_SECONDS, FIRST_COMPLETED)
            for future in finished:
                self._close(self.running.pop(future), future.result())
            self._look()
            if self.pressed():
                raise KeyboardInterrupt

    def _start(self) -> None:
        ready = [job for job in self.waiting if job.after in self.done]
        for job in ready[: self.count - len(self.running)]:
            self.waiting.remove(job)
            note(f"{job.title} -> {job.folder}")  # above the bar, where there is one
            with deaf_to_interrupts():
                self.running[self.pool.submit(_train, job)] = job

    def _close(self, job: Job, error: str | None) -> None:
        if error is not None:
            raise ValueError(f"{job.title}: {error}")
        self.done.add(job.folder)
        self.samples[str(job.folder)] = job.samples

    def _look(self) -> None:
        while True:
            try:
                folder, samples = self.seen.get_nowait()
            except Empty:
                break
            self.samples[folder] = max(samples, self.samples[folder])
        self.show(sum(self.samples.values()), self.total)


@dataclass(frozen=True)
class _Ends:
    """What a training process shares with the one that started it."""

    seen: "Queue[tuple[str, int]]"
    stop: Event


_ends: _Ends


def _begin(threads: int, seen: "Queue[tuple[str, int]]", stop: Event) -> None:
    """Prepare a process for its trainings."""
    import torch

    global _ends
    _ends = _Ends(seen, stop)
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the process that shows the work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """End at once when the parent is gone: a training goes on from its last epoch, and nobody could stop this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _train(job: Job) -> str | None:
    """Train in this process; returns what went wrong with it, since not every error can travel."""
    from s2hand.train.loop import train

    def note(report: Report) -> None:
        _ends.seen.put((str(job.folder), report.seen))
        if _ends.stop.is_set():
            signal.raise_signal(signal.SIGINT)  # as if Ctrl-C had been pressed here: it saves and ends

    try:
        train(job.settings, job.pack, job.folder, job.hand, note)
    except (ValueError, OSError) as error:
        return str(error)
    return None
