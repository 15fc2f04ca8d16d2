"""Threads that compute alone, so that results depend on no number of threads."""

from concurrent.futures import ThreadPoolExecutor


def compute_pool(threads: int) -> ThreadPoolExecutor:
    """Return threads for work that each does whole; torch's own threads inside of them would get in each other's way.

    A sum that torch splits over threads is rounded differently with their number: one thread gives the same bytes
    on a laptop and on a cluster.
    """
    import torch

    return ThreadPoolExecutor(threads, thread_name_prefix="compute", initializer=torch.set_num_threads, initargs=(1,))
