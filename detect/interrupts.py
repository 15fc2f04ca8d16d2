"""Ctrl-C, which a terminal sends to every process of a command, though one of them should answer."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let processes that start in the block ignore Ctrl-C: the one that starts them hears it, and ends them."""
    if current_thread() is not main_thread():  # where Python handles no signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
