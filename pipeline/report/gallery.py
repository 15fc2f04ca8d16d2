"""Which hands a gallery shows: those asked for, the best and the worst ones, and some at random."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from s2hand.datasets.files import DataError
from s2hand.pipeline.report.hand_errors import HandErrors
from s2hand.pipeline.stages.pack import photograph

WHY = ("chosen", "best", "worst", "random")
"""Why a hand is shown, in the gallery's order."""


@dataclass(frozen=True)
class Choice:
    """A row of the evaluation pack, and why it is shown: one of `WHY`."""

    row: int
    why: str


def choose(hands: HandErrors, samples: int, named: Sequence[str], seed: int) -> list[Choice]:
    """Choose `samples` different hands, or all there are: the named ones, of the rest a third each of `WHY`.

    A name is that of a hand, or of a photograph, whose hands it stands for, or the end of its path; all named hands
    are shown, however many. Hands of unknown error are chosen at random only. Raises DataError for an unknown name.
    """
    chosen = list(dict.fromkeys(row for name in named for row in _named(hands.names, name)))
    left = max(0, samples - len(chosen))
    ranked = [int(row) for row in np.argsort(hands.errors, kind="stable") if np.isfinite(hands.errors[row])]
    ranked = [row for row in ranked if row not in set(chosen)]
    third = min(left // 3, len(ranked) // 2)
    best, worst = ranked[:third], ranked[len(ranked) - third :][::-1]
    taken = {*chosen, *best, *worst}
    others = [row for row in range(len(hands.names)) if row not in taken]
    drawn = np.random.default_rng(seed).permutation(others)[: left - 2 * third]
    groups = (chosen, best, worst, [int(row) for row in drawn])
    return [Choice(row, why) for why, rows in zip(WHY, groups, strict=True) for row in rows]


def _named(names: Sequence[str], wanted: str) -> Iterator[int]:
    """Yield the rows that a name stands for."""
    rows = [
        row
        for row, name in enumerate(names)
        if wanted in (name, photograph(name)) or photograph(name).endswith(f"/{wanted}")
    ]
    if not rows:
        close = difflib.get_close_matches(wanted, names, 1)
        hint = f", did you mean {close[0]}?" if close else ""
        raise DataError(f"--choose {wanted}: no such hand among the {len(names)} held back{hint}")
    yield from rows
