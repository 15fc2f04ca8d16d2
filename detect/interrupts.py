"""Ctrl-C, which a terminal sends to every process of a command, though one of them should answer."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

from s2hand.datasets.process import is_first

EXIT_INTERRUPTED = 130
"""What a shell gives for a process that Ctrl-C ended."""


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


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process in one line on a Ctrl-C that comes before a command has begun, while modules are loaded."""
    try:
        yield
    except KeyboardInterrupt:
        if is_first():
            sys.stderr.write("interrupted: nothing had begun\n")
        sys.exit(EXIT_INTERRUPTED)
