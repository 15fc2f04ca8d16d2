"""The hand's skin as maps over its faces: where it is palm, nail, crease, knuckle, vein; how it bulges.

Every face carries a small triangular grid of samples (`SIDE` intervals per edge), so that detail is finer than the
vertices and needs no unwrapping. The maps depend on the resting hand only; they are made once per process and mixed
anew for every person (`skin.py`).
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from s2hand.pipeline.synthetic.meshes import vertex_normals
from s2hand.pipeline.synthetic.noise import Floats, noise_at
from s2hand.pipeline.synthetic.posing import open_hand
from s2hand.train.openhand.skeleton import DIGITS, digit_joints, make_skeleton

SIDE = 6
"""Intervals of the sample grid along a face's edge: about a millimetre on the hand."""
SAMPLES = (SIDE + 1) * (SIDE + 2) // 2

MAPS = (
    "palm", "blood", "crease", "wrinkle", "nail", "nail_tip", "nail_rim", "moon", "vein", "ring",
    "patch_a", "patch_b", "mottle_a", "mottle_b", "grain",
)  # fmt: skip

_PALM_LINES_MM = (  # distal, radial; heart, head, life line, wrist
    ((59, -46), (65, -32), (68, -14), (72, 2), (81, 13)),
    ((67, 40), (62, 22), (53, -6), (44, -26)),
    ((67, 40), (60, 24), (46, 13), (30, 8), (14, 9)),
    ((3, -30), (2, 0), (4, 30)),
)
_NAIL_MM = {"thumb": 13.5, "index": 10.5, "middle": 11.0, "ring": 10.5, "little": 8.5}


@dataclass(frozen=True)
class HandSurface:
    """Sample maps of the open hand. T = 1538 * SAMPLES; the samples of face f start at f * SAMPLES.

    maps [len(MAPS), T]: the strength of each feature, mostly 0..1 (the noises about 0). height [3, T]: relief in metres
    of creases and nails, of tendons and knuckles, and of fine grain.
    """

    maps: Floats
    height: Floats


def sample_weights() -> Floats:
    """Barycentric coordinates [SAMPLES, 3] of a face's samples; sample (i, j) is at (SIDE - i - j, i, j) / SIDE."""
    grid = [(i / SIDE, j / SIDE) for j in range(SIDE + 1) for i in range(SIDE + 1 - j)]
    i, j = np.array(grid).T
    return np.stack([1 - i - j, i, j], -1).astype(np.float32)


@cache
def hand_surface() -> HandSurface:
    """The maps of the open hand, made on first use (about half a second)."""
    hand = open_hand()
    faces = hand.faces.astype(np.int32)
    template = hand.v_template.astype(np.float32)
    wrist = (hand.J_regressor @ hand.v_template)[0].astype(np.float32)
    spread = sample_weights()
    points = _spread(spread, (template - wrist)[faces])
    normals = _spread(spread, vertex_normals(template, faces)[faces])
    weights = _spread(spread, hand.weights.astype(np.float32)[faces])
    features = {name: np.zeros(len(points), np.float32) for name in MAPS}
    height = np.zeros((len(points), 3), np.float32)
    _paint_palm(points, normals, features, height)
    for digit in DIGITS:
        _paint_digit(digit, points, normals, weights, features, height)
    _paint_noise(points, features, height)
    return HandSurface(np.stack([features[name] for name in MAPS]), np.ascontiguousarray(height.T))


def _spread(spread: Floats, corners: Floats) -> Floats:
    """Corner values [F, 3, C] to sample values [F * SAMPLES, C]."""
    return np.ascontiguousarray((spread @ corners).reshape(-1, corners.shape[-1]))


def _step(low: float, high: float, x: NDArray[np.floating]) -> Floats:
    """Smooth step from 0 at `low` to 1 at `high` (which may be the lower one)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _bump(x: NDArray[np.floating], width: float) -> Floats:
    """A bell of unit height."""
    return np.asarray(np.exp(-0.5 * (x / width) ** 2), np.float32)


def _paint_palm(points: Floats, normals: Floats, features: dict[str, Floats], height: Floats) -> None:
    """The palm's tone and lines, the back's veins and tendons."""
    distal, radial = -points[:, 0] * 1e3, points[:, 2] * 1e3
    features["palm"] = _step(0.25, -0.35, normals[:, 1]) * _step(-14, 10, distal)
    back = _step(0.1, 0.5, normals[:, 1])
    lines = np.zeros_like(distal)
    for line in _PALM_LINES_MM:
        lines = np.maximum(lines, _bump(_distance_to_line(distal, radial, line), 0.85))
    features["crease"] = lines * _step(-0.05, -0.5, normals[:, 1])
    pads = _bump(np.hypot((distal - 35) / 22, (radial - 26) / 16), 1) + _bump(
        np.hypot((distal - 35) / 26, (radial + 30) / 13), 1
    )
    features["blood"] = 0.7 * np.minimum(pads, 1) * features["palm"]
    bases = {"index": (83, 25), "middle": (85, 4), "ring": (80, -16), "little": (71.5, -34)}
    for x, z in bases.values():
        knuckle = _bump(np.hypot(distal - x, radial - z), 7.0) * back
        features["blood"] = np.maximum(features["blood"], 0.8 * knuckle)
        along = np.clip(distal / x, 0, 1)
        tendon = (
            _bump(radial - z * (0.25 + 0.75 * along), 1.8)
            * back
            * _step(0.15, 0.5, along)
            * _step(1.05, 0.9, distal / x)
        )
        height[:, 1] += 1.1e-3 * tendon + 0.5e-3 * knuckle
    wander = noise_at(points, 55, np.array([3.1, 7.7, 1.3], np.float32)) + 0.4 * noise_at(
        points, 120, np.zeros(3, np.float32)
    )
    features["vein"] = _bump(wander, 0.07) * back * _step(95, 70, distal)
    height[:, 1] += 0.35e-3 * features["vein"]


def _distance_to_line(x: Floats, y: Floats, line: tuple[tuple[float, float], ...]) -> Floats:
    """Distance of points to an open polyline in the plane, same unit."""
    nearest = np.full_like(x, 1e9)
    for (ax, ay), (bx, by) in pairwise(line):
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
    return nearest


def _paint_digit(
    digit: str, points: Floats, normals: Floats, weights: Floats, features: dict[str, Floats], height: Floats
) -> None:
    """One finger: creases inside, wrinkles outside, a redder pad and knuckles, the nail, the place of a ring."""
    skeleton = make_skeleton()
    chain = digit_joints(digit)
    mine = weights[:, list(chain)].sum(1) > 0.5
    ends = [*(skeleton.joints[j] for j in chain), skeleton.tips[DIGITS.index(digit)]]
    for bone, joint in enumerate(chain):
        frame = skeleton.axes[joint]
        start, length = ends[bone], float(np.linalg.norm(ends[bone + 1] - ends[bone]))
        local = (points * 1e3 - start) @ frame.T  # along the bone, sideways, towards the back; mm
        outward = normals @ frame[2]
        inside, outside = _step(0.1, -0.5, outward) * mine, _step(-0.1, 0.5, outward) * mine
        reach = np.abs(local[:, 0]) < 14
        if bone > 0 or digit == "thumb":
            lines = np.maximum(_bump(local[:, 0] - 0.9, 0.65), _bump(local[:, 0] + 1.3, 0.55) * (bone == 1))
            features["crease"] = np.maximum(features["crease"], lines * inside * reach)
            folds = (0.5 + 0.5 * np.cos(local[:, 0] * 2 * np.pi / 1.9)) * _bump(local[:, 0], 3.6 if bone == 1 else 2.2)
            features["wrinkle"] = np.maximum(features["wrinkle"], folds * outside * reach)
            knuckle = _bump(local[:, 0], 5.0) * outside * reach
            features["blood"] = np.maximum(features["blood"], 0.75 * knuckle)
        if bone == 0 and digit != "thumb":
            base = _bump(local[:, 0] - 0.47 * length, 0.8) * inside * (local[:, 0] > 0)
            features["crease"] = np.maximum(features["crease"], base)
            features["ring"] += mine * _step(3.0, 2.2, np.abs(local[:, 0] - 0.62 * length)) * (DIGITS.index(digit))
        features["palm"] = np.maximum(
            features["palm"],
            _step(0.15, -0.35, outward) * mine * (local[:, 0] > 0) * (local[:, 0] < length + 3),
        )
        if bone == 2:
            pad = _step(0.25, 0.8, local[:, 0] / length) * mine
            features["blood"] = np.maximum(features["blood"], pad * (0.55 + 0.45 * _step(0.2, -0.3, outward)))
            _paint_nail(digit, local, length, mine, features, height)
    height[:, 0] -= mine * (0.45e-3 * features["crease"] + 0.3e-3 * features["wrinkle"])


def _paint_nail(
    digit: str,
    local: Floats,
    length: float,
    mine: NDArray[np.bool_],
    features: dict[str, Floats],
    height: Floats,
) -> None:
    """Nail plate, its free edge, its rim and its moon, in the last bone's frame (mm)."""
    along = local[:, 0] - (length - 0.8)  # 0 at the free edge, negative towards the hand
    round_ = np.degrees(np.arctan2(local[:, 1], local[:, 2]))  # 0 on the back
    long_ = _NAIL_MM[digit]
    corner = np.maximum(np.abs(round_) / 48, 0) ** 4 + np.maximum((along + long_ / 2) / (long_ / 2), -np.inf) ** 4
    inside = corner**0.25
    back = mine & (np.abs(round_) < 90)
    plate = _step(1.05, 0.97, inside) * back
    features["nail"] = np.maximum(features["nail"], plate)
    features["nail_tip"] = np.maximum(features["nail_tip"], plate * _step(-1.6, -0.9, along))
    rim = _bump(inside - 1.04, 0.06) * back
    features["nail_rim"] = np.maximum(features["nail_rim"], rim)
    moon = plate * _step(1.0, 0.6, np.hypot((along + long_) / 3.0, round_ / 30))
    features["moon"] = np.maximum(features["moon"], moon)
    for name in ("wrinkle", "blood"):
        features[name] *= 1 - plate
    height[:, 0] += 0.25e-3 * plate - 0.35e-3 * rim


def _paint_noise(points: Floats, features: dict[str, Floats], height: Floats) -> None:
    """Noise of several sizes: large patches, mottling of a centimetre, grain of millimetres."""
    for number, (name, frequency) in enumerate(
        (("patch_a", 18), ("patch_b", 30), ("mottle_a", 90), ("mottle_b", 160), ("grain", 480))
    ):
        features[name] = noise_at(points, frequency, np.full(3, 5.3 * number + 0.7, np.float32))
    height[:, 2] = 0.10e-3 * (features["grain"] + noise_at(points, 800, np.full(3, 0.4, np.float32)))
    features["grain"] += 0.7 * noise_at(points, 900, np.full(3, 2.4, np.float32))
