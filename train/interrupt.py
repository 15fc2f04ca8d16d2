"""Ctrl-C as a wish that training meets between two steps, when everything is consistent."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed; pressed again a second later, it interrupts at once.

    Within a second it is the same wish, which the terminal and a launcher both hand on. Outside the main thread,
    where Python handles no signals, it always says no.
    """
    pressed: float | None = None

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        now = time.monotonic()
        if pressed is not None and now - pressed > 1.0:
            raise KeyboardInterrupt
        pressed = pressed or now

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed is not None
    finally:
        signal.signal(signal.SIGINT, previous)
