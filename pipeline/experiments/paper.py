"""The paper's own numbers, to stand beside ours: another data set, other sizes, so compare the order, not the values.

Chen et al., *Model-based 3D Hand Reconstruction via Self-Supervised Learning*, CVPR 2021.
"""

from collections.abc import Mapping

from s2hand.pipeline.experiments.outcome import Column

COLUMNS = (
    Column("pa_mpjpe_cm", "PA MPJPE (cm)", True),
    Column("pa_mpvpe_cm", "PA MPVPE (cm)", True),
    Column("pa_auc_j", "AUC J", False),
    Column("pa_auc_v", "AUC V", False),
    Column("pa_f5", "F5", False),
    Column("pa_f15", "F15", False),
    Column("root_mpjpe_cm", "root MPJPE (cm)", True),
    Column("mpjpe_px", "2D error (px)", True),
)
"""Those of Table 4, and two that the paper does not have."""

Numbers = Mapping[str, Mapping[str, float]]  # by data set, then by column


def _numbers(first: int, *values: float) -> dict[str, float]:
    """Values of the columns from the `first` one on."""
    keys = [column.key for column in COLUMNS[first:]]
    return dict(zip(keys, values, strict=False))


TABLE_4: tuple[Numbers, ...] = (
    {"FreiHAND": _numbers(0, 1.54, 1.58, 0.696, 0.687, 0.387, 0.852)},
    {"FreiHAND": _numbers(0, 1.24, 1.26, 0.754, 0.750, 0.457, 0.903)},
    {"FreiHAND": _numbers(0, 1.19, 1.20, 0.764, 0.763, 0.479, 0.915)},
    {"FreiHAND": _numbers(0, 1.18, 1.19, 0.766, 0.765, 0.483, 0.917)},
)
"""In the order of `variants.ablation`."""

TABLE_5: tuple[Numbers, ...] = (
    {"FreiHAND": _numbers(2, 0.730, 0.725, 0.42, 0.89), "HO-3D": _numbers(2, 0.765, 0.769, 0.44, 0.93)},
    {"FreiHAND": _numbers(2, 0.766, 0.765, 0.48, 0.92), "HO-3D": _numbers(2, 0.773, 0.777, 0.45, 0.93)},
)
"""In the order of `variants.supervision`."""

FIGURE_4: dict[str, Numbers] = {
    "predicted": {"FreiHAND": {"reduction_percent": 5.4}},
    "projected": {"FreiHAND": {"reduction_percent": 9.3}},
}
"""By how much E_con lowers the mean 2D error (section 4.4.2, in words; the legend's pixels are in the picture only)."""
