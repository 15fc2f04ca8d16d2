"""Where the camera stands: the hand's rotation, the intrinsics of the crop, and the translation that fills it."""

from dataclasses import dataclass

import numpy as np

from s2hand.pipeline.synthetic.posing import Doubles, cross
from s2hand.pipeline.synthetic.settings import SyntheticSettings

FOCAL_RANGE = (1.5, 3.4)
"""Focal length in units of the image's side: crops of ordinary cameras, as FreiHAND's (about 2.2)."""

_NEAREST_M = 0.16


@dataclass(frozen=True)
class View:
    """rotation [3, 3] of the hand to the camera, K [3, 3] in pixels, translation [3] of the wrist joint in metres."""

    rotation: Doubles
    K: Doubles
    translation: Doubles


def sample_rotation(rng: np.random.Generator, difficulty: float = 1.0) -> Doubles:
    """Hand to camera, [3, 3]: the whole sphere of viewpoints, fuller where photographs usually are taken from.

    Of a lower difficulty, nearer to those, and the fingers nearer to upright. In the hand's frame the fingers point
    along -x, the back looks along +y and the thumb's side is +z.
    """
    kind = rng.random() * (0.6 + 0.4 * difficulty)
    spread = 0.25 + 0.2 * difficulty
    if kind < 0.35:  # into the palm
        towards = np.array([0, -1, 0]) + rng.normal(0, spread, 3)
    elif kind < 0.6:  # onto the back
        towards = np.array([0, 1, 0]) + rng.normal(0, spread, 3)
    elif kind < 0.72:  # edge-on, from the thumb's or the little finger's side
        towards = np.array([0, 0, rng.choice((-1, 1))]) + rng.normal(0, 0.4, 3)
    else:
        towards = rng.normal(0, 1, 3)
    towards /= np.linalg.norm(towards)
    # Camera axes: x right, y down, z forward. `towards` points from the hand to the camera: it becomes -z.
    up_hint = np.array([-1.0, 0, 0]) if abs(towards[0]) < 0.95 else np.array([0, 1.0, 0])
    up = up_hint - (up_hint @ towards) * towards
    up /= np.linalg.norm(up)
    rotation = np.stack([cross(up, towards), -up, -towards])
    upright = rng.random() < 1 - 0.4 * difficulty
    roll = rng.normal(0, 0.3 + 0.3 * difficulty) if upright else rng.uniform(-np.pi, np.pi)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.asarray(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ rotation)


def sample_coverage(rng: np.random.Generator, settings: SyntheticSettings) -> float:
    """The hand's longer side over the image's: mostly in the range of the settings, up to one in eight smaller."""
    low, high = settings.coverage
    if rng.random() < 0.125 * settings.difficulty:
        return float(low * rng.uniform(0.5, 1))
    return float(rng.uniform(low, high))


def sample_view(rng: np.random.Generator, rotation: Doubles, points: Doubles, settings: SyntheticSettings) -> View:
    """Place the rotated joints `points` [21, 3] (metres, about the wrist) in front of a camera.

    The box of their projections has a longer side of a sampled share of the image's; it lies about the middle,
    shifted, and now and then cut by the border.
    """
    size = settings.image_size
    focal = size * np.exp(rng.uniform(*np.log(FOCAL_RANGE)))
    centre = size / 2 + rng.normal(0, 0.06 * size, 2)  # a crop is seldom about the camera's axis
    wanted = sample_coverage(rng, settings) * size
    middle = (points.min(0) + points.max(0)) / 2
    depth = max(focal * float(np.ptp(points[:, :2], axis=0).max()) / wanted, _NEAREST_M)
    for _ in range(4):  # the projection is not linear in depth, but nearly so
        box = _box(points - middle, depth, focal)
        depth = max(depth * float((box[1] - box[0]).max()) / wanted, _NEAREST_M)
    low, high = _box(points - middle, depth, focal)
    extent = high - low
    slack = np.maximum(size - extent, 0.08 * size) / 2
    reach = 1.15 if rng.random() < 0.15 * settings.difficulty else 0.85  # beyond 1 the border cuts
    shift = rng.uniform(-1, 1, 2) * slack * reach
    target = np.array([size / 2, size / 2]) + shift - (low + high) / 2
    K = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    position = np.array([*((target - centre) * depth / focal), depth])
    return View(rotation, K, position - middle)


def _box(points: Doubles, depth: float, focal: float) -> Doubles:
    """Lowest and highest corner [2, 2] of the projections of points about (0, 0, depth)."""
    z = np.maximum(points[:, 2:] + depth, 0.05)
    flat = points[:, :2] / z * focal
    return np.stack([flat.min(0), flat.max(0)])
