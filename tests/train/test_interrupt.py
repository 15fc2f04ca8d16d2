"""Ctrl-C waits for the end of a step, unless it is meant."""

import os
import signal
import threading

import pytest

from s2hand.train import interrupt
from s2hand.train.interrupt import deferred_interrupt


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass only when the test says so."""
    now = [100.0]
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: now[0])
    return now


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_press_is_a_wish(clock: list[float]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt() as interrupted:
        assert not interrupted()
        press()
        clock[0] += 0.5
        press()  # the terminal and a launcher both hand it on
        assert interrupted()
    assert signal.getsignal(signal.SIGINT) is before


def test_pressed_again_it_interrupts_at_once(clock: list[float]) -> None:
    with deferred_interrupt():
        press()
        clock[0] += 2.0
        with pytest.raises(KeyboardInterrupt):
            press()


def test_in_another_thread_nothing_is_heard() -> None:
    heard = []

    def work() -> None:
        with deferred_interrupt() as interrupted:
            heard.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [False]
