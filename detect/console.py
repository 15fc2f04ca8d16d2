"""What commands show: progress, a table at the end, and errors in one line. Rich is loaded when it is needed."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import typer

from s2hand.datasets.process import is_first
from s2hand.detect.interrupts import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

Report = Callable[[int, int], None]  # (done, total), to be called as often as one likes

EXIT_USER_ERROR = 1
LOG_EVERY_SECONDS = 15.0

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def user_errors(after_interrupt: str, quiet: bool = False) -> Iterator[None]:
    """End the command with one red line where the user's files or values are wrong, and with one on Ctrl-C.

    `after_interrupt` says what to do after Ctrl-C; `quiet` silences all else of this module that is inside.
    """
    token = _quiet.set(quiet)
    try:
        yield
    except BrokenPipeError:  # `| head` has seen enough: nobody's error
        raise
    except (ValueError, OSError) as error:
        _complain(f"error: {error}", "red")
        raise typer.Exit(EXIT_USER_ERROR) from error
    except KeyboardInterrupt as error:
        if is_first():
            _complain(f"interrupted: {after_interrupt}", "yellow")
        raise typer.Exit(EXIT_INTERRUPTED) from error
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether the command runs with `--quiet`."""
    return _quiet.get()


def note(line: str) -> None:
    """Print a line about the work beside its result, on stderr; above the bar, where there is one."""
    if not is_quiet():
        sys.stderr.write(f"{line}\n")  # which a bar that is shown has replaced by its own


def show_result(facts: Any, as_json: bool, draw: Callable[[], None]) -> None:
    """Print what a command found out: `facts` as JSON for machines, or for people what `draw` prints."""
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
    elif not is_quiet():
        draw()


def show_summary(rows: Mapping[str, str], facts: Mapping[str, Any], as_json: bool) -> None:
    """End a command with its summary: `rows` for people, a line each, or `facts` as JSON for machines."""
    show_result(facts, as_json, lambda: show_rows(rows))


def show_rows(rows: Mapping[str, str], indent: str = "") -> None:
    """Print names and values, the values below each other."""
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        typer.echo(f"{indent}{name:<{width}}  {value}")


@contextmanager
def show_progress(label: str) -> Iterator[Report]:
    """Yield a function that shows how far the work named `label` is, and how long it still takes.

    On a terminal that is a bar. In a file it is a line now and then, since a bar that redraws itself would
    fill it.
    """
    if is_quiet():
        yield lambda done, total: None
        return
    from rich.console import Console

    console = Console(stderr=True)
    with (_bar if console.is_terminal else _lines)(label, console) as report:
        yield report


@contextmanager
def show_phases() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (label, done, total) that shows work of several phases, one after the other."""
    with ExitStack() as stack:
        label, report = "", None

        def show(phase: str, done: int, total: int) -> None:
            nonlocal label, report
            if report is None or phase != label:
                stack.close()
                label, report = phase, stack.enter_context(show_progress(phase))
            report(done, total)

        yield show


@contextmanager
def _bar(label: str, console: "Console") -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(label, total=None)
        try:
            yield lambda done, total: bars.update(task, completed=done, total=total)
        finally:
            bars.update(task, visible=bars.tasks[0].total is not None)  # else it went wrong before anything was done


@contextmanager
def _lines(label: str, console: "Console") -> Iterator[Report]:
    begun = shown = time.monotonic()
    first: tuple[int, float] | None = None  # a resumed run does not begin at 0

    def report(done: int, total: int) -> None:
        nonlocal shown, first
        now = time.monotonic()
        first = first or (done, now)
        if done >= total:
            console.print(f"{label}: {total} of {total}, {duration(now - begun)}", highlight=False)
        elif now - shown >= LOG_EVERY_SECONDS and done > first[0]:
            left = (now - first[1]) * (total - done) / (done - first[0])
            console.print(f"{label}: {done} of {total}, {duration(left)} left", highlight=False)
            shown = now

    yield report


def duration(seconds: float) -> str:
    """Say a time as people do: 42 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def speed(seconds: float, count: int, what: str) -> str:
    """Say how long a run took, and how fast that was for the `count` that it did itself; of none there is no speed."""
    if not count:
        return duration(seconds)
    rate = count / max(seconds, 1e-9)
    return f"{duration(seconds)}, {rate:.{1 if rate >= 1 else 2}f} {what}/s"


def _complain(line: str, color: str) -> None:
    from rich.console import Console
    from rich.text import Text

    # As text, not markup: a path may hold square brackets.
    Console(stderr=True, soft_wrap=True).print(Text(line, style=color))
