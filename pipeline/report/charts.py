"""Figures for Plotly as plain values. Colours of text and grid come from the page, which is light or dark.

The series' colours are those of Okabe and Ito, which colour-blind readers tell apart; series differ by dash or pattern
too, so that a print in grey can be read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PATTERNS = ("", "/", "x", ".")

Figure = dict[str, Any]


def plain(values: ArrayLike, digits: int = 5) -> list[Any]:
    """Return numbers as JSON takes them: rounded to significant digits, NaN as None, which leaves a gap."""
    array = np.asarray(values)
    if array.dtype.kind in "OUS":
        return [str(value) for value in array]
    return [None if not np.isfinite(value) else float(f"{value:.{digits}g}") for value in array.astype(np.float64)]


def layout(x_title: str, y_title: str, **more: Any) -> dict[str, Any]:
    """Return the layout that all charts share, with titles of the axes; `more` adds to it."""
    axes = {"xaxis": {"title": {"text": x_title}}, "yaxis": {"title": {"text": y_title}}}
    return {**more, **{name: {**axis, **more.get(name, {})} for name, axis in axes.items()}}


def lines(x: ArrayLike, series: Mapping[str, ArrayLike], x_title: str, y_title: str, **more: Any) -> Figure:
    """Draw `series` [N] each, by name, over `x` [N] as lines."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": plain(x),
            "y": plain(y),
            "line": {"color": COLOURS[n % len(COLOURS)], "dash": DASHES[n % len(DASHES)], "width": 2},
        }
        for n, (name, y) in enumerate(series.items())
    ]
    return {"data": data, "layout": layout(x_title, y_title, **more)}


def bars(names: Sequence[str], series: Mapping[str, ArrayLike], x_title: str, y_title: str, **more: Any) -> Figure:
    """Draw `series` [N] each, by name, as groups of bars over `names` [N]."""
    data = [
        {
            "type": "bar",
            "name": name,
            "x": list(names),
            "y": plain(y),
            "marker": {"color": COLOURS[n % len(COLOURS)], "pattern": {"shape": PATTERNS[n % len(PATTERNS)]}},
        }
        for n, (name, y) in enumerate(series.items())
    ]
    return {"data": data, "layout": layout(x_title, y_title, **more)}
