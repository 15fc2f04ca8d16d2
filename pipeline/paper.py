"""The paper's comparisons with other methods, Tables 2 and 3, to stand beside our numbers.

All were measured by the data sets' official evaluation after Procrustes alignment. Keys are those of
`s2hand.train.metrics.summarize`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "Chen et al., Model-based 3D Hand Reconstruction via Self-Supervised Learning, CVPR 2021"

COLUMNS: tuple[tuple[str, str], ...] = (
    ("pa_auc_j", "AUC J"),
    ("pa_mpjpe_cm", "MPJPE (cm)"),
    ("pa_auc_v", "AUC V"),
    ("pa_mpvpe_cm", "MPVPE (cm)"),
    ("pa_f5", "F@5"),
    ("pa_f15", "F@15"),
)
"""Of both tables, in their order: metric and heading."""


@dataclass(frozen=True)
class Row:
    """One method; a number that the paper does not give is not there."""

    method: str
    supervision: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """One of the tables, on the test set of so many images of a data set."""

    number: int
    dataset: str
    images: int
    rows: tuple[Row, ...]

    @property
    def source(self) -> str:
        """Where the numbers stand."""
        return f"{SOURCE}, Table {self.number}: {self.dataset}, {self.images} test images"


def _row(method: str, supervision: str, *values: float | None) -> Row:
    named = zip((key for key, _ in COLUMNS), values, strict=True)
    return Row(method, supervision, {key: value for key, value in named if value is not None})


TABLE_2 = Comparison(
    2,
    "FreiHAND",
    3960,
    (
        _row("Zimmermann 2019", "3D", 0.35, 3.50, 0.74, 1.32, 0.43, 0.90),
        _row("Hasson 2019", "3D", 0.74, 1.33, 0.74, 1.33, 0.43, 0.91),
        _row("Boukhayma 2019", "3D", 0.78, 1.10, 0.78, 1.09, 0.52, 0.93),
        _row("Qian 2020", "3D", 0.78, 1.11, 0.78, 1.10, 0.51, 0.93),
        _row("Spurr 2020", "2D", 0.78, 1.13, None, None, None, None),
        _row("S2HAND", "none", 0.77, 1.18, 0.77, 1.19, 0.48, 0.92),
    ),
)

TABLE_3 = Comparison(
    3,
    "HO-3D v2",
    11524,
    (
        _row("Hasson 2019", "3D", None, None, None, 1.30, 0.42, 0.90),
        _row("Hampali 2020", "3D", None, None, None, 1.06, 0.51, 0.94),
        _row("Hasson 2020", "3D", 0.773, 1.11, 0.773, 1.14, 0.43, 0.93),
        _row("S2HAND", "none", 0.773, 1.14, 0.777, 1.12, 0.45, 0.93),
    ),
)
