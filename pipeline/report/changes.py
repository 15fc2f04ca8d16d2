"""What differs between two runs in numbers: metrics, and whether they became better; parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from s2hand.datasets.files import DataError
from s2hand.pipeline.params import PARAMS_FILE
from s2hand.pipeline.report.project import Project

NOT_SET = "not set"

_LESS_IS_BETTER = ("_cm", "_px", "agreement_of_box", "beyond_limits_deg", "bone_deviation")
_MORE_IS_BETTER = (
    "auc_j",
    "auc_v",
    "f5",
    "f15",
    "within_0.1",
    "within_0.2",
    "within_limits",
    "silhouette_iou",
    "found",
)
"""How the names of metrics end; of others nobody can say what is better, as of a count."""


@dataclass(frozen=True)
class Change:
    """A metric of two runs; None where a run does not have it."""

    who: str
    key: str
    before: float | None
    now: float | None

    @property
    def digits(self) -> int:
        """Decimals to show, and by which a change counts: more for small numbers."""
        return 3 if max(abs(self.before or 0.0), abs(self.now or 0.0)) < 10 else 1

    @property
    def difference(self) -> float | None:
        """By how much the number grew, as it is shown; None where one is missing."""
        if self.before is None or self.now is None:
            return None
        return round(self.now - self.before, self.digits) + 0.0  # no -0.0

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `same`; nothing where that can't be said."""
        difference = self.difference
        if difference is None:
            return ""
        if not difference:
            return "same"
        if self.key.endswith(_LESS_IS_BETTER):
            return "better" if difference < 0 else "worse"
        if self.key.endswith(_MORE_IS_BETTER):
            return "better" if difference > 0 else "worse"
        return ""

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return both values, the verdict with an arrow, the change, and the change in per cent, as text."""
        values = ["" if value is None else f"{value:.{self.digits}f}" for value in (self.before, self.now)]
        difference = self.difference
        if difference is None:
            return (*values, "", "", "")  # type: ignore[return-value]
        share = f"{100 * difference / abs(self.before):+.1f} %" if self.before else ""
        arrow = "=" if not difference else "↑" if difference > 0 else "↓"
        return (values[0], values[1], f"{arrow} {self.verdict}".strip(), f"{difference:+.{self.digits}f}", share)


def metric_changes(before: Mapping[str, Any], now: Mapping[str, Any], order: Sequence[str]) -> list[Change]:
    """Return all metrics of two `metrics.json`: the network's, then the others'; each in `order`, then by name."""
    found: dict[str, list[dict[str, float]]] = {
        who: [_numbers(values.get(who)) for values in (before, now)]
        for who in sorted({*before, *now}, key=lambda who: (who != "network", who))
    }
    place = {key: number for number, key in enumerate(order)}
    return [
        Change(who, key, old.get(key), new.get(key))
        for who, (old, new) in found.items()
        for key in sorted({*old, *new}, key=lambda key: (place.get(key, len(place)), key))
    ]


def _numbers(values: Any) -> dict[str, float]:
    """Return the metrics of whom the values are; nothing for what stands beside those, as a count."""
    return values if isinstance(values, dict) else {}


def parameter_changes(before: Project, now: Project) -> list[tuple[str, str, str]] | None:
    """Return key, value before and value now of each parameter that differs; None if a project has no params.yaml.

    Raises DataError where one is not YAML.
    """
    old, new = (read_parameters(project) for project in (before, now))
    if old is None or new is None:
        return None
    old, new = dict(_flat(old)), dict(_flat(new))
    keys = [*new, *(key for key in old if key not in new)]
    rows = [(key, old.get(key, NOT_SET), new.get(key, NOT_SET)) for key in keys]
    return [row for row in rows if row[1] != row[2]]


def read_parameters(project: Project) -> dict[str, Any] | None:
    """Return what stands in params.yaml, of whichever version; None if there is none. Raises DataError for no YAML."""
    path = project.find(PARAMS_FILE)
    if path is None:
        return None
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return values if isinstance(values, dict) else {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each parameter by its dotted key, its value as it is written in YAML."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, _text(value)


def _text(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
