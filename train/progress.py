"""How far a training is: what is saved to go on from, and what is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field

Row = dict[str, float | str]


@dataclass(frozen=True)
class Report:
    """How far a run is, after a step."""

    stage: str
    epoch: int  # of the stage, from 1
    epochs: int
    seen: int  # samples, over the whole run
    total: int
    samples_per_second: float  # of this epoch
    values: dict[str, float]  # mean of each term over this epoch so far, and `loss`


Progress = Callable[[Report], None]


@dataclass
class Position:
    """How far a run is: finished epochs and their history, and the steps of the epoch under way."""

    stage: int = 0
    epoch: int = 0  # of the stage
    step: int = 0
    seconds: float = 0.0  # spent in this epoch's steps
    sums: dict[str, float] = field(default_factory=dict)  # of the terms over this epoch's steps
    best: float = float("inf")  # of this stage's epochs
    history: list[Row] = field(default_factory=list)
