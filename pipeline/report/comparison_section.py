"""Comparison: what became better and what worse since another run: numbers, joints, hands, and the hands' pictures."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from s2hand.pipeline.layout import METRICS, PER_JOINT
from s2hand.pipeline.params import PARAMS_FILE
from s2hand.pipeline.report import charts
from s2hand.pipeline.report.changed_hands import changed_hands
from s2hand.pipeline.report.changes import Change, metric_changes, parameter_changes
from s2hand.pipeline.report.page import Block, Chart, Facts, Section, Table
from s2hand.pipeline.report.photographs import Photographs, compare_photographs
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.units import unit_of
from s2hand.pipeline.table import COLUMNS, ROWS, read_metrics

_TITLES = {
    **dict(ROWS),
    "root_mpvpe_cm": "vertex error, root-relative (cm)",
    "root_auc_j": "AUC of joints, root-relative",
    "root_auc_v": "AUC of vertices, root-relative",
    "auc_j": "AUC of joints, absolute",
    "auc_v": "AUC of vertices, absolute",
    "f5": "F-score at 5 mm, absolute",
    "f15": "F-score at 15 mm, absolute",
    "found": "joints found",
    "silhouettes": "hands whose outline was found in the pixels",
}
"""Of metrics, in the table's order: those of the terminal's table first."""
_VERDICTS = ("better", "worse", "same")


def comparison_section(now: Project, before: Project) -> Section:
    """Return what changed from `before` to `now`; what can't be compared is said. Raises DataError for broken files."""
    photographs = compare_photographs(before, now)
    blocks = [
        _facts(before, now, photographs),
        _metrics(before, now),
        *_parameters(before, now),
        *_joints(before, now),
        *changed_hands(before, now, photographs),
    ]
    return Section("comparison", "Comparison", f"What became better, and what worse, since {before.name}.", blocks)


def _facts(before: Project, now: Project, photographs: Photographs) -> Facts:
    counts = [_numbers(project)["hands"] for project in (before, now)]
    rows = {
        "before": f"{before.name}: {counts[0]} hands held back",
        "now": f"{now.name}: {counts[1]} hands held back",
        "photographs": photographs.sentence,
    }
    return Facts(title="What is compared", sources=(str(METRICS), *photographs.sources), rows=rows)


def _metrics(before: Project, now: Project) -> Table:
    """Return the network's metrics; those of others, where they changed, below."""
    changes = metric_changes(_numbers(before), _numbers(now), list(_TITLES))
    shown = [change for change in changes if change.who == "network" or change.verdict != "same"]
    whole = {change.who for change in changes} - {change.who for change in shown}
    unchanged = [title for who, title in COLUMNS if who in whole]
    words = {word: sum(change.who == "network" and change.verdict == word for change in changes) for word in _VERDICTS}
    counted = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    others = f" All numbers of the {' and the '.join(unchanged)} are the same." if unchanged else ""
    return Table(
        title="Metrics",
        sources=_both(before, METRICS),
        columns=("metric", "before", "now", "verdict", "change", "%"),
        rows=[(_title(change), *change.cells()) for change in shown],
        note=f"Of the network's metrics: {counted or 'none can be compared'}.{others}",
    )


def _title(change: Change) -> str:
    title = _TITLES.get(change.key, change.key)
    return title if change.who == "network" else f"{dict(COLUMNS).get(change.who, change.who)}: {title}"


def _parameters(before: Project, now: Project) -> Iterator[Block]:
    """Yield the parameters that differ; nothing where they are not known."""
    changes = parameter_changes(before, now)
    if changes is None:
        return
    sources = _both(before, PARAMS_FILE)
    if changes:
        columns = ("parameter", "before", "now")
        yield Table(title="Parameters that differ", sources=sources, columns=columns, rows=changes)
    else:
        yield Facts(title="Parameters", sources=sources, rows={"that differ": "none"})


def _joints(before: Project, now: Project) -> Iterator[Block]:
    """Yield the error of each joint; nothing where a run has none, or the two are counted in other units."""
    columns = [project.columns(PER_JOINT) for project in (before, now)]
    units = [unit_of(_numbers(project)) for project in (before, now)]
    old, new = columns
    if old is None or new is None or units[0] != units[1] or old.get("joint") != new.get("joint"):
        return
    series = {"before": old["network"], "now": new["network"]}
    better = sum(a > b for a, b in zip(series["before"], series["now"], strict=True))
    alt = f"Bars of the mean error of each joint, before and now: {better} of {len(new['joint'])} joints became better."
    yield Chart(
        title="Error of each joint",
        sources=_both(before, PER_JOINT),
        figure=charts.bars(new["joint"], series, "", f"mean error ({units[0]})", xaxis={"tickangle": -60}),
        alt=alt,
        note=alt.partition(": ")[2].capitalize(),
    )


def _numbers(project: Project) -> Mapping[str, Any]:
    return read_metrics(project.root / METRICS)


def _both(before: Project, path: Path) -> tuple[str, str]:
    return str(path), f"{before.name}: {path}"
