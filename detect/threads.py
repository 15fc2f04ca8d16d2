"""Threads that compute alone, so that results depend on no number of threads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def compute_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that each do their work whole; torch's own threads inside of them would get in each other's way.

    A sum that torch splits over threads is rounded differently with their number: one thread gives the same bytes
    on a laptop and on a cluster. What waits is dropped when the block ends.
    """
    import torch

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix="compute", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # threads that are started later take after the last one that was set
