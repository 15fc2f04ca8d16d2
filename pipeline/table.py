"""The table of metrics that `make repro` ends with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from s2hand.datasets.files import DataError, read_json

ROWS = (
    ("root_mpjpe_cm", "joint error, root-relative (cm)"),
    ("pa_mpjpe_cm", "joint error, aligned (cm)"),
    ("pa_mpvpe_cm", "vertex error, aligned (cm)"),
    ("mpjpe_cm", "joint error, absolute (cm)"),
    ("mpvpe_cm", "vertex error, absolute (cm)"),
    ("pa_auc_j", "AUC of joints, aligned"),
    ("pa_auc_v", "AUC of vertices, aligned"),
    ("pa_f5", "F-score at 5 mm, aligned"),
    ("pa_f15", "F-score at 15 mm, aligned"),
    ("mpjpe_px", "2D joint error (px)"),
    ("agreement_px", "2D distance to the detections (px)"),
    ("agreement_of_box", "2D distance to the detections / hand size"),
    ("within_0.1", "joints within 0.1 hand sizes of the detections"),
    ("within_0.2", "joints within 0.2 hand sizes of the detections"),
    ("silhouette_iou", "overlap of silhouettes with outlines in the pixels"),
    ("wrist_cm", "wrist error (cm)"),
    ("within_limits", "joint angles that a hand can take"),
    ("beyond_limits_deg", "largest excess of a hand's angles (degrees)"),
    ("bone_deviation", "bones' difference from an average hand's"),
    ("bone_spread", "bones' difference between the hands"),
)
COLUMNS = (("network", "network"), ("constant", "constant hand"), ("detector", "detector"))


def read_metrics(file: Path) -> dict[str, Any]:
    """Read what the evaluate stage wrote. Raises ValueError for a file that is not there, or another one."""
    metrics = read_json(file)
    if not isinstance(metrics, dict) or not {"hands", "dataset", "network"} <= set(metrics):
        raise DataError(f"{file}: expected the metrics that the evaluate stage writes, found another file")
    return metrics


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the metrics as a table."""
    table = Table(title=f"{metrics['hands']} hands held back, {metrics['dataset']}", title_justify="left")
    table.add_column("metric")
    for _, title in COLUMNS:
        table.add_column(title, justify="right")
    for row in metric_rows(metrics):
        table.add_row(*row)
    Console().print(table)


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table's rows: the metric's title, and a cell for each of `COLUMNS`, empty where it has no number."""
    rows = []
    for key, title in ROWS:
        values = [metrics.get(column, {}).get(key) for column, _ in COLUMNS]
        if any(value is not None for value in values):
            rows.append((title, *(_format(value) for value in values)))
    return rows


def _format(value: Any) -> str:
    """Return three digits after the point, fewer of large numbers, and of small ones as many as say something."""
    if value is None:
        return ""
    if value and abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
