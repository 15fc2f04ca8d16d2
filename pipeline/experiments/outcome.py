"""What an experiment found: rows of numbers per seed, their mean and spread, beside those of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any


@dataclass(frozen=True)
class Column:
    """A metric of a table."""

    key: str
    title: str
    smaller_is_better: bool

    @property
    def heading(self) -> str:
        """The title with an arrow towards what is better."""
        return f"{self.title} {'↓' if self.smaller_is_better else '↑'}"


@dataclass(frozen=True)
class Trial:
    """The numbers of one seed; `facts` say how they came about."""

    metrics: Mapping[str, float]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of a table: at least one trial, each with the same metrics."""

    title: str
    trials: tuple[Trial, ...]
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by data set, then by column
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.trials or any(trial.metrics.keys() != self.trials[0].metrics.keys() for trial in self.trials):
            raise ValueError(f"Row {self.title!r}: expected trials that all have the same metrics")

    def mean(self) -> dict[str, float]:
        """The mean over the trials, by metric."""
        return {key: mean(trial.metrics[key] for trial in self.trials) for key in self.trials[0].metrics}

    def std(self) -> dict[str, float | None]:
        """The sample standard deviation over the trials, by metric; of a single trial it is not known."""
        known = len(self.trials) > 1
        return {
            key: stdev(trial.metrics[key] for trial in self.trials) if known else None for key in self.trials[0].metrics
        }

    def shown(self, key: str) -> str:
        """The mean and spread of a metric as a table has them; empty where the row doesn't have it."""
        if key not in self.trials[0].metrics:
            return ""
        value, spread = self.mean()[key], self.std()[key]
        places = 3 if abs(value) < 10 else 2
        return f"{value:.{places}f}" if spread is None else f"{value:.{places}f} ± {spread:.{places}f}"


@dataclass(frozen=True)
class Outcome:
    """All that an experiment writes down."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    source: str  # of the paper's numbers
    about: Mapping[str, Any]  # parameters, hardware, date, revision, seconds; JSON-able
