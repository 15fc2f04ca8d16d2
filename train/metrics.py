"""How far predicted hands are from the true ones: FreiHAND's official numbers, batched.

Three kinds of the same errors: as predicted; with `root_` after the wrists have been put on top of each
other; with `pa_` after Procrustes alignment, that is the best scale, rotation and translation of each
prediction. As in the official script (lmb-freiburg/freihand, eval.py):

- mean error = over keypoints and samples, in cm; PCK(t) = share of keypoints with error <= t, at 100
  thresholds from 0 to 50 mm, both included; AUC = trapezoid under that curve / 50 mm;
- the alignment may mirror: a mirrored prediction fits perfectly. Vertices have their own, not that of the
  joints;
- F-score at 5 and 15 mm = harmonic mean of the shares of vertices with one of the other mesh nearer than
  that, mean over samples.

Metres in, NumPy arrays or torch tensors; everything is computed in float64.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.skeleton import FINGERS, JOINT_COUNT, WRIST
from s2hand.train.nearest import shares_within

Floats = NDArray[np.float64]

THRESHOLDS: Floats = np.linspace(0.0, 0.05, 100)
F_DISTANCES: Mapping[str, float] = MappingProxyType({"f5": 0.005, "f15": 0.015})
_MIDDLE_BASE = FINGERS["middle"][0]
_CHUNK = 512  # samples at a time: 30 MB of vertices


class Tensor(Protocol):
    """What evaluation needs of a torch tensor."""

    def detach(self) -> Any:
        """The tensor without its history."""


Points = NDArray[Any] | Tensor


@dataclass(frozen=True)
class Errors:
    """One kind of errors of N samples: distances in metres, F-scores in [0, 1]; None without vertices."""

    joints: Floats  # [N, 21]
    vertices: Floats | None = None  # [N, V]
    f_scores: Floats | None = None  # [N, 2] at 5 and 15 mm


@dataclass(frozen=True)
class HandScores:
    """The errors of N samples as predicted, relative to the wrist (no F-scores), and Procrustes-aligned."""

    plain: Errors
    root: Errors
    aligned: Errors

    def kinds(self) -> dict[str, Errors]:
        """Each kind under the prefix of its metrics' names."""
        return {"": self.plain, "root_": self.root, "pa_": self.aligned}


def evaluate_hands(
    pred_joints: Points,  # [N, 21, 3] metres, camera
    true_joints: Points,  # [N, 21, 3]
    pred_vertices: Points | None = None,  # [N, V, 3]
    true_vertices: Points | None = None,  # [N, V, 3]
) -> dict[str, float]:
    """The metrics of a set of hands as a flat mapping.

    `mpjpe_cm`, `auc_j` of the joints; with vertices also `mpvpe_cm`, `auc_v`, `f5`, `f15`; all of them with
    `pa_` in front after alignment, and the errors and areas with `root_` relative to the wrist.

    Raises:
        ValueError: shapes that don't fit, no sample, or a number that is not finite.

    Examples:
        >>> import numpy as np
        >>> from s2hand.train import evaluate_hands
        >>> true = np.random.default_rng(0).normal(scale=0.05, size=(8, 21, 3))
        >>> scores = evaluate_hands(true + [0.01, 0, 0], true)  # all of them a centimetre to the right
        >>> f"{scores['mpjpe_cm']:.2f} cm, aligned {scores['pa_mpjpe_cm']:.2f} cm"
        '1.00 cm, aligned 0.00 cm'
    """
    return summarize(score_hands(pred_joints, true_joints, pred_vertices, true_vertices))


def score_hands(
    pred_joints: Points,
    true_joints: Points,
    pred_vertices: Points | None = None,
    true_vertices: Points | None = None,
    progress: Callable[[int, int], None] | None = None,  # (samples done, samples in all)
) -> HandScores:
    """The errors of each sample; arguments as in `evaluate_hands`."""
    arrays = [_points("pred_joints", pred_joints), _points("true_joints", true_joints)]
    if (pred_vertices is None) != (true_vertices is None):
        raise ValueError("vertices: expected both pred_vertices and true_vertices or neither, found one")
    if pred_vertices is not None and true_vertices is not None:
        arrays += [_points("pred_vertices", pred_vertices), _points("true_vertices", true_vertices)]
    _check_shapes(*(array.shape for array in arrays))
    parts, count = [], len(arrays[0])
    for start in range(0, count, _CHUNK):
        parts.append(_score_chunk(*(array[start : start + _CHUNK] for array in arrays)))
        if progress is not None:
            progress(min(start + _CHUNK, count), count)
    return HandScores(*(_concatenate([part[kind] for part in parts]) for kind in range(3)))


def summarize(scores: HandScores) -> dict[str, float]:
    """The means over samples and keypoints, named as in `evaluate_hands`."""
    summary = {}
    for prefix, errors in scores.kinds().items():
        summary[f"{prefix}mpjpe_cm"] = 100.0 * float(errors.joints.mean())
        summary[f"{prefix}auc_j"] = area_under(pck_curve(errors.joints, THRESHOLDS), THRESHOLDS)
        if errors.vertices is not None:
            summary[f"{prefix}mpvpe_cm"] = 100.0 * float(errors.vertices.mean())
            summary[f"{prefix}auc_v"] = area_under(pck_curve(errors.vertices, THRESHOLDS), THRESHOLDS)
        if errors.f_scores is not None:
            for name, column in zip(F_DISTANCES, errors.f_scores.T, strict=True):
                summary[f"{prefix}{name}"] = float(column.mean())
    return summary


def pck_curve(errors: Floats, thresholds: Floats) -> Floats:
    """The share [T] of `errors` at most as large as each of the rising `thresholds`; NaN doesn't count."""
    known = errors[~np.isnan(errors)]
    if known.size == 0:
        raise ValueError("errors: expected at least one number, found none")
    first_passed = np.searchsorted(thresholds, known.ravel(), side="left")
    passed = np.bincount(first_passed, minlength=len(thresholds) + 1)[: len(thresholds)]
    shares: Floats = np.cumsum(passed) / known.size
    return shares


def area_under(curve: Floats, thresholds: Floats) -> float:
    """The area under a curve by the trapezoid rule, divided by the thresholds' range."""
    return float(np.trapezoid(curve, thresholds) / (thresholds[-1] - thresholds[0]))


def align_procrustes(points: Points, targets: Points) -> Floats:
    """`points` [N, P, 3] after the similarity transform, mirroring included, that brings each nearest to its
    target.

    Orthogonal Procrustes with scale: both sets centred and divided by their norm (+ 1e-8, as officially).
    """
    moving, fixed = _points("points", points), _points("targets", targets)
    centre = fixed.mean(axis=1, keepdims=True)
    moving, fixed = moving - moving.mean(axis=1, keepdims=True), fixed - centre
    size = np.linalg.norm(fixed, axis=(1, 2), keepdims=True) + 1e-8
    moving = moving / (np.linalg.norm(moving, axis=(1, 2), keepdims=True) + 1e-8)
    u, singular, vt = np.linalg.svd(fixed.transpose(0, 2, 1) @ moving / size)
    turn = (u @ vt).transpose(0, 2, 1)
    aligned: Floats = moving @ turn * (singular.sum(axis=1)[:, None, None] * size) + centre
    return aligned


def align_scale_translation(joints: Points, targets: Points) -> Floats:
    """`joints` [N, 21, 3] with the wrist, and the length from there to the middle finger's base, of each target.

    As HO-3D's official script (shreyashampali/ho3d, eval.py), its quirk included: where that length is 0 in `joints`,
    they are multiplied by the target's.
    """
    moving, fixed = _points("joints", joints), _points("targets", targets)
    _check_shapes(moving.shape, fixed.shape)
    length, wanted = (np.linalg.norm(hands[:, _MIDDLE_BASE] - hands[:, WRIST], axis=1) for hands in (moving, fixed))
    # The official order of operations: at the threshold 0 the area counts errors that are exactly 0.
    scaled = moving / np.where(length > 0, length, 1.0)[:, None, None] * wanted[:, None, None]
    aligned: Floats = scaled - scaled[:, WRIST : WRIST + 1] + fixed[:, WRIST : WRIST + 1]
    return aligned


def evaluate_pixels(pred_px: Points, true_px: Points) -> dict[str, float]:
    """The mean distance `mpjpe_px` of joints [N, 21, 2] in pixels, over the true joints that are known."""
    errors = pixel_errors(pred_px, true_px)
    if np.isnan(errors).all():
        raise ValueError("true_px: expected at least one known joint, found none")
    return {"mpjpe_px": float(np.nanmean(errors))}


def pixel_errors(pred_px: Points, true_px: Points) -> Floats:
    """Distances [N, 21] in pixels between joints [N, 21, 2]; NaN where the true joint is unknown (NaN)."""
    predicted, true = _array(pred_px), _array(true_px)
    if predicted.shape != true.shape or predicted.ndim != 3 or predicted.shape[2] != 2:
        raise ValueError(f"joints: expected two of [N, J, 2], found {predicted.shape} and {true.shape}")
    if not np.isfinite(predicted).all():
        raise ValueError("pred_px: expected finite numbers, found NaN or infinity")
    distances: Floats = np.linalg.norm(predicted - true, axis=2)
    return distances


def _score_chunk(
    pred_joints: Floats,
    true_joints: Floats,
    pred_vertices: Floats | None = None,
    true_vertices: Floats | None = None,
) -> tuple[Errors, Errors, Errors]:
    """Plain, root-relative and aligned errors."""
    pred_wrist, true_wrist = pred_joints[:, WRIST : WRIST + 1], true_joints[:, WRIST : WRIST + 1]
    plain = _distances(pred_joints, true_joints)
    root = _distances(pred_joints - pred_wrist, true_joints - true_wrist)
    aligned = _distances(align_procrustes(pred_joints, true_joints), true_joints)
    if pred_vertices is None or true_vertices is None:
        return Errors(plain), Errors(root), Errors(aligned)
    fitted = align_procrustes(pred_vertices, true_vertices)
    return (
        Errors(plain, _distances(pred_vertices, true_vertices), _f_scores(pred_vertices, true_vertices)),
        Errors(root, _distances(pred_vertices - pred_wrist, true_vertices - true_wrist)),
        Errors(aligned, _distances(fitted, true_vertices), _f_scores(fitted, true_vertices)),
    )


def _distances(a: Floats, b: Floats) -> Floats:
    distances: Floats = np.linalg.norm(a - b, axis=2)
    return distances


def _f_scores(predicted: Floats, true: Floats) -> Floats:
    """Harmonic mean [N, 2] of precision and recall, 0 where both are."""
    limits = np.array(list(F_DISTANCES.values()))
    precision, recall = shares_within(predicted, true, limits), shares_within(true, predicted, limits)
    total = precision + recall
    scores: Floats = 2.0 * precision * recall / np.where(total > 0, total, 1.0)
    return scores


def _concatenate(parts: list[Errors]) -> Errors:
    joined = {}
    for name in ("joints", "vertices", "f_scores"):
        arrays = [getattr(part, name) for part in parts]
        joined[name] = None if arrays[0] is None else np.concatenate(arrays)
    return Errors(**joined)  # type: ignore[arg-type]


def _array(points: Points) -> Floats:
    values = points.detach().cpu().double() if hasattr(points, "detach") else points
    return np.asarray(values, dtype=np.float64)


def _points(name: str, points: Points) -> Floats:
    array = _array(points)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(f"{name}: expected [N, points, 3] with N > 0, found {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, found NaN or infinity")
    return array


def _check_shapes(pred_joints: tuple[int, ...], *others: tuple[int, ...]) -> None:
    """Joints twice [N, 21, 3], then, if there are any, vertices twice [N, V, 3]."""
    pairs = [("joints", pred_joints, others[0])]
    if pred_joints[1] != JOINT_COUNT:
        raise ValueError(f"joints: expected {JOINT_COUNT} of them, found {pred_joints[1]}")
    if len(others) > 1:
        pairs.append(("vertices", others[1], others[2]))
    for name, predicted, true in pairs:
        if predicted != true or predicted[0] != pred_joints[0]:
            raise ValueError(
                f"{name}: expected {pred_joints[0]} predictions and as many true ones of the same shape, "
                f"found {list(predicted)} and {list(true)}"
            )
