"""This process among others: how many cores it may use, and whether it is the one that speaks."""

import os


def core_count() -> int:
    """Return how many cores this process may use, where the system tells; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_first() -> bool:
    """Whether this is the only process, or the first of those that a launcher has started, which writes and speaks."""
    return os.environ.get("RANK", "0") == "0"
