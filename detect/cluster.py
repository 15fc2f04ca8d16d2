"""A detection run shared by many processes, on this machine or on a Dask cluster: a task is a shard.

The process that was asked for the run plans and finishes it; workers only ever write whole shards, which are the same
files whoever writes them. So a worker that dies loses nothing: the scheduler gives its task to another, and what was
written twice was written alike. Workers must see the photographs and the output folder under the same paths, and run
the same code; both are checked before anything starts. A worker computes on as many shards at once as it has threads.
"""

import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from s2hand.datasets.files import PARTIAL_SUFFIX, DataError
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import make_folder
from s2hand.detect.engine import Task
from s2hand.detect.interrupts import deaf_to_interrupts
from s2hand.detect.job import Counter, Job, Tools, compute_count, open_job

AHEAD = 2  # tasks per thread of a worker, so that none is idle between two
RETRIES = 2  # of a task that raised: a file system may fail for a moment
CONNECT_SECONDS = 30

_OPENING = Lock()


@dataclass(frozen=True)
class Cluster:
    """Workers that are there and agree on what they compute."""

    client: Any  # distributed.Client
    job: Job
    provenance: Provenance

    def process(self, tasks: Sequence[Task], counter: Counter) -> None:
        """Have every shard made that is not there yet.

        Raises what a worker raised, and DataError with the shards that were at work when several workers died.
        """
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.comm.core import CommClosedError

        waiting = iter(tasks)
        running = as_completed()
        unfinished = self._fill(running, waiting)
        for future in running:
            try:
                number, images, resumed = future.result()
            except (CommClosedError, CancelledError) as error:
                raise DataError(
                    f"{self.job.out}: the Dask scheduler is gone; finished shards are kept: run again"
                ) from error
            except KilledWorker as error:
                # Dask suspects every shard that a worker held when it died, and names any of them.
                raise DataError(
                    f"{self.job.out}: workers died one after the other (out of memory?) while they held shards "
                    f"{', '.join(map(str, sorted(unfinished)))}; finished shards are kept: run again with fewer "
                    "workers or threads per machine, or without the images of those that are named both times"
                ) from error
            unfinished.discard(number)
            counter.add(images, resumed)
            unfinished |= self._fill(running, waiting)

    def _fill(self, running: Any, waiting: Iterator[Task]) -> set[int]:
        """Hand out as many tasks as the workers can use, who may become more or fewer; return their shards."""
        given: set[int] = set()
        most = AHEAD * max(1, sum(self.client.nthreads().values()))
        for number, names in islice(waiting, max(0, most - running.count())):
            key = f"shard-{secrets.token_hex(4)}-{number}"
            arguments = (self.job, number, names, self.provenance)
            running.add(self.client.submit(make_shard, *arguments, key=key, retries=RETRIES))
            given.add(number)
        return given


@contextmanager
def open_cluster(job: Job) -> Iterator[Cluster]:
    """Start workers on this machine, or connect to a scheduler's; they end, or are left, when the block ends.

    Raises DataError for a scheduler that does not answer, and for workers that do not see the same files or code.
    """
    with _client(job) as client:
        yield Cluster(client, job, _agreed(client, job))


@contextmanager
def _client(job: Job) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    address, workers = job.settings.scheduler, job.settings.workers
    memory = {"distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False}
    with dask.config.set(memory):  # workers keep no results: what they use, the network needs
        if address is not None:
            try:
                client = Client(address, timeout=CONNECT_SECONDS)
            except (OSError, TimeoutError, ValueError) as error:
                raise DataError(
                    f"--scheduler {address}: does not answer ({error}); is a Dask scheduler there?"
                ) from None
            with client:
                _wait_for_workers(client, address)
                yield client
            return
        threads = max(1, compute_count(job.settings.device) // workers)
        quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}  # port 0: any that is free
        with deaf_to_interrupts():
            local = LocalCluster(n_workers=workers, threads_per_worker=threads, memory_limit=0, **quiet)
        with local, Client(local) as client:
            yield client


def _wait_for_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise DataError(
            f"--scheduler {address}: no worker came within {CONNECT_SECONDS} s; start some: dask worker {address}"
        ) from None


def _agreed(client: Any, job: Job) -> Provenance:
    """Ask every worker what it would compute; all must say the same, and see the file that is put beside the shards."""
    make_folder(job.out)
    token = job.out / f".seen-{secrets.token_hex(4)}{PARTIAL_SUFFIX}"
    token.touch()
    try:
        answers = client.run(describe, job, token)
    finally:
        token.unlink(missing_ok=True)
    first, *others = answers.items()
    for worker, answer in (first, *others):
        if isinstance(answer, str):
            raise DataError(f"worker {worker}: {answer}")
        if answer != first[1]:
            raise DataError(
                f"worker {worker} would compute other keypoints than {first[0]} ({_difference(first[1], answer)}); "
                "install the same version everywhere, and name --precision"
            )
    agreed: Provenance = first[1]
    return agreed


def _difference(one: Provenance, other: Provenance) -> str:
    left, right = one.as_json(), other.as_json()
    return next(f"{key}: {left[key]} and {right[key]}" for key in left if left[key] != right[key])


def describe(job: Job, token: Path, dask_worker: Any) -> Provenance | str:
    """Say what this worker's keypoints would be made from, or what keeps it from making any.

    Dask knows the last argument by its name.
    """
    if not job.images.exists():
        return f"{job.images}: not there; workers must see the photographs under the same path"
    if not token.exists():
        return f"{job.out}: not the same folder here; workers must see it under the same path"
    try:
        return _tools(job, dask_worker.name).store.provenance
    except (ValueError, OSError) as error:
        return str(error)


def make_shard(job: Job, number: int, names: Sequence[str], expected: Provenance) -> tuple[int, int, bool]:
    """Make a shard, unless it is there; return its number, how many images it has, and whether it was there."""
    from distributed import get_worker

    tools = _tools(job, get_worker().name)
    if tools.store.provenance != expected:
        raise DataError(f"a worker computes other keypoints ({_difference(expected, tools.store.provenance)})")
    task = (number, names)
    if tools.finished([task]):
        return number, len(names), True
    for _ in tools.make([task], lambda images: None):
        pass
    return number, len(names), False


def _tools(job: Job, worker: str | int) -> Tools:
    with _OPENING:  # a cache alone would let threads that come at once load the network each
        return _open(job, worker)


@lru_cache(maxsize=1)
def _open(job: Job, worker: str | int) -> Tools:
    device = _device(job.settings.device, worker)
    return open_job(replace(job, settings=job.settings.model_copy(update={"device": device})))


def _device(wanted: str, worker: str | int) -> str:
    """Give each worker of this machine, which are numbered, a GPU of its own; other clusters' see what they may use."""
    import torch

    count = torch.cuda.device_count()
    return f"cuda:{worker % count}" if wanted in ("auto", "cuda") and count and isinstance(worker, int) else wanted
