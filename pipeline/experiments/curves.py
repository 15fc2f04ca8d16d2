"""Curves of several seeds as a CSV and as a picture."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from s2hand.datasets.files import replacing

Curves = Mapping[str, NDArray[np.float64]]  # by title: [seeds, distances], shares of joints


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:  # [seeds, D] -> [D]
    """The sample standard deviation over the seeds; 0 of a single one."""
    return np.asarray(values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1]), np.float64)


def write_curves(path: Path, distances: NDArray[np.float64], curves: Curves) -> None:
    """Write the mean and the standard deviation of each curve as columns."""
    columns: dict[str, Any] = {"distance_px": distances}
    for title, values in curves.items():
        columns |= {title: values.mean(axis=0), f"{title}, std": spread(values)}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(np.round(np.stack(list(columns.values()), axis=1), 6).tolist())


def draw_curves(path: Path, distances: NDArray[np.float64], curves: Curves, legend: Mapping[str, str]) -> None:
    """Draw each curve's mean with a band of one standard deviation as a PNG; `legend` names them."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for title, values in curves.items():
        mean, width = values.mean(axis=0), spread(values)
        (line,) = axes.plot(distances, mean, label=legend[title])
        axes.fill_between(distances, mean - width, mean + width, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlim=(distances[0], distances[-1]), ylim=(0, 1))
    axes.set(xlabel="distance (px of a 224 px image)", ylabel="share of joints within the distance")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})
