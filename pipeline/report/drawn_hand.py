"""A hand drawn flat, seen from its back, whose joints are coloured by their error.

The drawing is the open hand's rest pose: its joints, and the outline of its mesh. Colours run from dark blue to yellow
(cividis), which colour-blind readers and grey prints keep in order; each joint has its number beside it as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.skeleton import BONES, FINGERS, JOINT_NAMES
from s2hand.pipeline.layout import PER_JOINT
from s2hand.pipeline.report.page import Html
from s2hand.pipeline.report.units import CM
from s2hand.train import load_hand_model

_SCALE = 2600.0  # drawing units in a metre
_MARGIN = np.array([42.0, 12.0])  # at either side there is room for numbers
_STEPS = 9  # colours of the legend

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Where things are drawn: an SVG's width and height, the joints [21, 2], the outline as a path's text."""

    width: int
    height: int
    joints: Points
    outline: str


def joint_errors(columns: Mapping[str, Sequence[Any]], unit: str) -> Html:
    """Return the drawings of `per_joint.csv`'s columns: the network's errors, and, with truth, those after alignment.

    Raises DataError where a column is missing, or the joints are others.
    """
    for name in ("joint", "network", "constant"):
        if name not in columns:
            raise DataError(f"{PER_JOINT}: expected a column {name!r}, found {', '.join(columns)}; make it anew")
    if tuple(columns["joint"]) != JOINT_NAMES:
        raise DataError(f"{PER_JOINT}: expected the {len(JOINT_NAMES)} joints in our order; make it anew")
    drawn = {"network": "relative to the wrist" if unit == CM else "distance to the detections"}
    if "network_aligned" in columns:
        drawn["network_aligned"] = "after alignment"
    layout = hand_layout()
    others = {"network": "constant", "network_aligned": "constant_aligned"}
    hands = [_hand(layout, title, columns[name], columns.get(others[name], ()), unit) for name, title in drawn.items()]
    return Html(
        title="Error of each joint",
        sources=(str(PER_JOINT),),
        template="drawn_hand.html.j2",
        values={"layout": layout, "hands": hands, "table": _table(columns, unit)},
        note=f"Mean over the hands, in {unit}, on the back of a right hand. Point at a joint for the constant hand's.",
    )


@cache
def hand_layout() -> Layout:
    """Return the flat open hand: fingers up, thumb to the left."""
    hand = load_hand_model(flat_hand_mean=True)
    mesh = hand(torch.zeros(1, 30))
    vertices, joints = (_flat(points[0].double().numpy()) for points in (mesh.vertices, mesh.joints))
    low = vertices.min(axis=0) - _MARGIN
    vertices, joints = vertices - low, joints - low
    width, height = np.ceil(vertices.max(axis=0) + _MARGIN).astype(int).tolist()
    return Layout(width, height, np.round(joints, 1), _outline(vertices, hand.faces.numpy(), width, height))


def _flat(points: Points) -> Points:
    """Return [N, 2] seen along y: fingers, which point along -x, up; the thumb's side, z, to the left."""
    return _SCALE * np.stack([-points[:, 2], points[:, 0]], axis=1)


def _outline(vertices: Points, faces: NDArray[np.integer[Any]], width: int, height: int) -> str:
    """Return the contour of all triangles together as an SVG path."""
    mask = np.zeros((height, width), np.uint8)
    for triangle in np.round(vertices[faces]).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 255)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = cv2.approxPolyDP(max(contours, key=len), 1.0, closed=True)[:, 0]
    return "M" + " L".join(f"{x} {y}" for x, y in longest.tolist()) + " Z"


def colours(shares: Sequence[float] | Points) -> list[str]:
    """Return the colour of each share in [0, 1] of a scale's end, as `#rrggbb`."""
    levels = np.round(255 * np.clip(np.asarray(shares, np.float64), 0, 1)).astype(np.uint8)
    bgr = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_CIVIDIS)[:, 0]
    return [f"#{red:02x}{green:02x}{blue:02x}" for blue, green, red in bgr.tolist()]


def _hand(layout: Layout, title: str, errors: Sequence[float], constant: Sequence[float], unit: str) -> dict[str, Any]:
    """Return what the template draws of one hand; its scale begins at 0 and ends at its largest error."""
    values = np.asarray(errors, np.float64)
    known = np.isfinite(values)
    end = float(values[known].max()) if known.any() else 0.0
    shares = np.where(known, values, 0.0) / max(end, 1e-9)
    joints = [
        {
            "x": x,
            "y": y,
            "left": n in FINGERS["thumb"],  # of the bones of the palm
            "colour": colour if there else "none",
            "number": _number(value, unit) if there else "-",
            "tip": f"{_spoken(name)}: {_with_unit(value, unit)}" + (_against(constant[n], unit) if constant else ""),
        }
        for n, ((x, y), name, value, there, colour) in enumerate(
            zip(layout.joints.tolist(), JOINT_NAMES, values, known, colours(shares), strict=True)
        )
    ]
    return {
        "title": title,
        "alt": _alt(title, values, unit),
        "joints": joints,
        "bones": [layout.joints[list(bone)].ravel().tolist() for bone in BONES],
        "steps": colours(np.linspace(0, 1, _STEPS)),
        "ends": ("0", _with_unit(end, unit)),
    }


def _alt(title: str, values: Points, unit: str) -> str:
    """Say the mean, and which joints are best and worst; the wrist does not count where it is 0 by definition."""
    order = [int(n) for n in np.argsort(values) if np.isfinite(values[n]) and values[n] > 0]
    if not order:
        return f"A drawn hand, {title}: no joint's error is known."
    best, worst = (f"{_spoken(JOINT_NAMES[n])} with {_with_unit(values[n], unit)}" for n in (order[0], order[-1]))
    return (
        f"A drawn hand, {title}: the joints' mean error is {_with_unit(float(np.nanmean(values)), unit)}; "
        f"best is {best}, worst {worst}."
    )


def _table(columns: Mapping[str, Sequence[Any]], unit: str) -> dict[str, Any]:
    """Return all of the columns in this unit as text, for those who do not see the drawing."""
    names = [name for name in columns if name != "joint" and not name.endswith("_px")]
    titles = {"network": "network", "constant": "constant hand"}
    heads = [titles[name.split("_")[0]] + (", aligned" if name.endswith("_aligned") else "") for name in names]
    rows = [
        [_spoken(joint), *(_number(columns[name][n], unit) for name in names)]
        for n, joint in enumerate(columns["joint"])
    ]
    return {"head": ["joint", *(f"{head} ({unit})" for head in heads)], "rows": rows}


def _against(value: float, unit: str) -> str:
    return f" (constant hand: {_with_unit(value, unit)})"


def _spoken(joint: str) -> str:
    return joint.replace("_", " ")


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value, unit)} {unit}"


def _number(value: float, unit: str) -> str:
    """Return three digits of what is usual: some centimetres, or a tenth of a hand."""
    if not np.isfinite(value):
        return "not known"
    if unit == CM:
        return f"{value:.2f}" if value < 9.995 else f"{value:.1f}"
    return f"{value:.3f}"
