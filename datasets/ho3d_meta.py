"""What HO-3D says about one frame: `meta/ID.pkl`, a pickle of a dictionary, read without running any of it.

    camMat            [3, 3]   pixels
    handJoints3D      [21, 3]  metres, of the training split; [3] of the evaluation split, the wrist alone
    handBoundingBox   [4]      x1, y1, x2, y2 in pixels, of the evaluation split

A field is None, or missing, where the frame is not annotated. The others (handPose, handBeta, handTrans, the
object's) are not needed: the joints are there already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, intrinsics_problem
from s2hand.datasets.files import DataError
from s2hand.datasets.safe_pickle import NUMPY_CLASSES, BrokenPickleError, UnsafePickleError, safe_load


@dataclass(frozen=True, eq=False)
class Meta:
    """What is known about a frame, in HO-3D's axes and joint order."""

    K: NDArray[np.float64] | None = None  # [3, 3]
    joints: NDArray[np.float64] | None = None  # [21, 3] metres
    wrist: NDArray[np.float64] | None = None  # [3] metres, where it is given alone
    box: Box | None = None


def read_meta(path: Path) -> Meta | None:
    """Read a frame's file; None if there is none.

    Raises:
        DataError: the file can't be read, is no such pickle or would run something; a field has another shape.
    """
    try:
        fields = safe_load(path, NUMPY_CLASSES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except BrokenPickleError as error:
        raise DataError(f"{error}; restore the file") from error
    except UnsafePickleError as error:
        raise DataError(f"{error}; HO-3D's files hold nothing but numbers and names: don't trust this one") from error
    if not isinstance(fields, Mapping):
        raise DataError(f"{path}: expected a dictionary, found {type(fields).__name__}; restore the file")
    joints = _numbers(path, fields, "handJoints3D", (21, 3), (3,))
    alone = joints is not None and joints.ndim == 1
    return Meta(
        K=_intrinsics(path, fields),
        joints=None if alone else joints,
        wrist=joints if alone else None,
        box=_box(path, fields),
    )


def _numbers(path: Path, fields: Mapping[str, Any], name: str, *shapes: tuple[int, ...]) -> NDArray[np.float64] | None:
    """A field's finite numbers in one of the shapes; None if it is missing, None or nothing but NaN."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):  # not numbers, nested unevenly, or too large
        array = np.empty(0)
    if array.size and np.isnan(array).all():
        return None
    if array.shape not in shapes or not np.isfinite(array).all():
        expected = " or ".join(str(shape) for shape in shapes)
        found = " ".join(str(value).split())[:60]
        raise DataError(f"{path}: {name}: expected finite numbers of shape {expected}, found {found}")
    return array


def _intrinsics(path: Path, fields: Mapping[str, Any]) -> NDArray[np.float64] | None:
    K = _numbers(path, fields, "camMat", (3, 3))
    problem = None if K is None else intrinsics_problem(K)
    if problem is not None:
        raise DataError(f"{path}: camMat: {problem}")
    return K


def _box(path: Path, fields: Mapping[str, Any]) -> Box | None:
    corners = _numbers(path, fields, "handBoundingBox", (4,))
    if corners is None:
        return None
    x1, y1, x2, y2 = corners.tolist()
    if x2 <= x1 or y2 <= y1:
        raise DataError(f"{path}: handBoundingBox: expected x1 < x2 and y1 < y2, found {corners.tolist()}")
    return Box(x1, y1, x2 - x1, y2 - y1)
