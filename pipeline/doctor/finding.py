"""What one look found. A look that trips over something broken gives a finding, too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "broken", "optional"]
"""`optional`: not there, or not whole, but the parameters do not need it."""


class MissingError(ValueError):
    """What is looked for is not there, or too little of it; the message says what is there instead."""


@dataclass(frozen=True)
class Finding:
    """One row of the table."""

    name: str
    state: State
    found: str
    used_for: str
    what_to_do: str = ""


def look(name: str, used_for: str, what_to_do: str, check: Callable[[], str], needed: bool = True) -> Finding:
    """Run a check, which returns what it found; `what_to_do` is said where it raises instead.

    Raises nothing: MissingError, FileNotFoundError and ImportError make a row `missing`, everything else `broken`, and
    both are `optional` where the thing is not `needed`.
    """
    try:
        return Finding(name, "ok", check(), used_for)
    except Exception as error:  # whatever is wrong with a machine is what was asked for
        absent = isinstance(error, MissingError | FileNotFoundError | ImportError)
        state: State = "optional" if not needed else "missing" if absent else "broken"
        return Finding(name, state, _first_line(error), used_for, what_to_do)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
