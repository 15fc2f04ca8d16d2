"""Trainings side by side: as many at a time as there are to be, each when what it starts from is finished.

Several trainings of one thread each are much quicker on a CPU than one after the other on all threads.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Event

from rich.console import Console

from s2hand.detect.console import Report as Show
from s2hand.detect.console import show_progress
from s2hand.train.loop import Report
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

    return 1 if torch.cuda.is_available() else min(os.cpu_count() or 1, MOST)


def run_jobs(name: str, jobs: Sequence[Job], count: int) -> None:
    """Run all jobs, `count` at a time, showing how far they are; what is finished already takes no time.

    Ctrl-C saves each training where it is and raises KeyboardInterrupt. Raises ValueError where a training fails.
    """
    waiting = list({job.folder: job for job in jobs}.values())
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // count)
    with context.Manager() as manager, show_progress(name) as show:
        seen: Queue[tuple[str, int]] = manager.Queue()
        stop = manager.Event()
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(threads,))
        try:
            _Schedule(waiting, count, pool, seen, stop, show).run()
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
        stop: Event,
        show: Show,
    ) -> None:
        self.waiting, self.count, self.pool, self.seen, self.stop, self.show = waiting, count, pool, seen, stop, show
        self.samples = {str(job.folder): 0 for job in waiting}
        self.total = sum(job.samples for job in waiting)
        self.running: dict[Future[str | None], Job] = {}
        self.done: set[Path | None] = {None}
        self.console = Console(stderr=True, soft_wrap=True)

    def run(self) -> None:
        while self.waiting or self.running:
            self._start()
            finished, _ = wait(self.running, _POLL_SECONDS, FIRST_COMPLETED)
            for future in finished:
                self._close(self.running.pop(future), future.result())
            self._look()

    def _start(self) -> None:
        ready = [job for job in self.waiting if job.after in self.done]
        for job in ready[: self.count - len(self.running)]:
            self.waiting.remove(job)
            self.console.print(f"{job.title} -> {job.folder}", highlight=False, markup=False)
            self.running[self.pool.submit(_train, job, self.seen, self.stop)] = job

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


def _begin(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _train(job: Job, seen: "Queue[tuple[str, int]]", stop: Event) -> str | None:
    """Train in this process; returns what went wrong with it, since not every error can travel."""
    from s2hand.train.loop import train

    def note(report: Report) -> None:
        seen.put((str(job.folder), report.seen))
        if stop.is_set():
            signal.raise_signal(signal.SIGINT)  # as if Ctrl-C had been pressed here: it saves and ends

    try:
        train(job.settings, job.pack, job.folder, job.hand, note)
    except (ValueError, OSError) as error:
        return str(error)
    return None
