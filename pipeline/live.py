"""Training as one watches it: a bar with throughput and time left, and every term of the loss below."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from s2hand.datasets.process import is_first
from s2hand.detect.console import LOG_EVERY_SECONDS, duration, is_quiet

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from s2hand.train.progress import Report

Show = Callable[["Report"], None]


@contextmanager
def show_training() -> Iterator[Show]:
    """Yield a function that shows how far a training is; silent in all but the first of several processes.

    On a terminal it redraws itself; in a file it is a line now and then.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if is_quiet() or not is_first():
        yield lambda report: None
    elif console.is_terminal:
        with _live(console) as show:
            yield show
    else:
        yield _lines(console)


def time_left(first: tuple[int, float], report: "Report", now: float) -> float:
    """Seconds that the rest of the run takes at the speed since `first`, samples seen and time."""
    done = report.seen - first[0]
    return (now - first[1]) * (report.total - report.seen) / done if done > 0 else float("nan")


def _line(report: "Report", left: float) -> str:
    place = f"{report.stage}, epoch {report.epoch} of {report.epochs}"
    rest = f"{duration(left)} left" if left == left else "..."
    return f"train: {place}, {report.samples_per_second:.0f} samples/s, loss {report.values['loss']:.4g}, {rest}"


def _lines(console: "Console") -> Show:
    first: tuple[int, float] | None = None
    shown = time.monotonic()

    def show(report: "Report") -> None:
        nonlocal first, shown
        now = time.monotonic()
        first = first or (report.seen, now)
        if now - shown >= LOG_EVERY_SECONDS or report.seen == report.total:
            console.print(_line(report, time_left(first, report, now)), highlight=False)
            shown = now

    return show


@contextmanager
def _live(console: "Console") -> Iterator[Show]:
    from rich.live import Live

    first: tuple[int, float] | None = None

    with Live(console=console, refresh_per_second=4) as live:

        def show(report: "Report") -> None:
            nonlocal first
            now = time.monotonic()
            first = first or (report.seen, now)
            live.update(_picture(report, time_left(first, report, now)))

        yield show


def _picture(report: "Report", left: float) -> "Table":
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    terms = Table.grid(padding=(0, 2))
    values = sorted(report.values.items(), key=lambda item: item[0] != "loss")
    for start in range(0, len(values), 4):
        terms.add_row(*(f"{name} [bold]{value:.4g}[/]" for name, value in values[start : start + 4]))
    picture = Table.grid(expand=True)  # not a Group, in which a bar without colours ends no line
    for part in (Text(_line(report, left)), ProgressBar(report.total, report.seen), terms):
        picture.add_row(part)
    return picture
