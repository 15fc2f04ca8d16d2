"""Reader of HO-3D, versions 2 and 3 (Hampali et al., CVPR 2020): right hands that hold an object, 640 x 480.

    train.txt, evaluation.txt              one frame a line, SEQ/ID
    train/SEQ/rgb/ID.png or ID.jpg         version 2 has PNG, version 3 JPEG
    train/SEQ/meta/ID.pkl                  see `ho3d_meta`
    train/SEQ/depth/ID.png                 not read
    evaluation/...                         likewise; of the hand, the wrist and a box alone
    evaluation_xyz.json                    [N, 21, 3]  optional: the truth of the evaluation split, in the order
    evaluation_verts.json                  [N, 778, 3] of evaluation.txt

HO-3D's axes are OpenGL's (x right, y up, z backward), its joint order MANO's, its unit the metre. A sequence is
one camera's recording: a training frame without a camera takes that of its sequence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2hand.datasets.cameras import Floats, flip_axes
from s2hand.datasets.files import DataError
from s2hand.datasets.ho3d_frames import Frame, read_frames
from s2hand.datasets.ho3d_meta import Meta, read_meta
from s2hand.datasets.json_arrays import read_json_arrays
from s2hand.datasets.records import Lazy, Record, Split
from s2hand.datasets.skeleton import MANO_TO_OURS, OURS_TO_MANO, WRIST

_SAME_WRIST = 0.01  # metres: a truth of another version, order or axes is further from the frames' wrists


def to_ho3d_points(points_cam: ArrayLike) -> Floats:  # [..., 3]
    """Turn camera points, of a mesh for example, into HO-3D's axes."""
    return flip_axes(points_cam)


def from_ho3d_points(points: ArrayLike) -> Floats:  # [..., 3]
    """Turn points in HO-3D's axes into ours: the inverse of `to_ho3d_points`."""
    return flip_axes(points)


def to_ho3d_joints(joints_cam: ArrayLike) -> Floats:  # [..., 21, 3]
    """Turn joints into HO-3D's axes and order."""
    return flip_axes(np.asarray(joints_cam)[..., OURS_TO_MANO, :])


def from_ho3d_joints(joints: ArrayLike) -> Floats:  # [..., 21, 3]
    """Turn joints in HO-3D's axes and order into ours: the inverse of `to_ho3d_joints`."""
    return flip_axes(np.asarray(joints)[..., MANO_TO_OURS, :])


@dataclass(frozen=True, eq=False)
class _Training:
    """The training frames that have a camera; that of each sequence; why the other frames are left out, by image."""

    frames: Sequence[Frame]
    cameras: Mapping[str, NDArray[np.float64] | None]
    left_out: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Truth:
    """The evaluation split's truth, by line of its list, in HO-3D's axes and order."""

    xyz: NDArray[np.float64] | None  # [N, 21, 3]
    verts: NDArray[np.float32] | None  # [N, 778, 3]


class Ho3d:
    """The data set in the folder `root`, of either version.

    Raises:
        DataError: no such folder; on `records`, a list or an image that is missing, a broken line; on
            taking a record, a file that is missing (evaluation), broken, or not harmless.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(f"{root}: no such folder; expected HO-3D's, with train.txt and evaluation.txt in it")

    @property
    def version(self) -> int:
        """2 or 3: the only difference in the files is the images' type."""
        return 2 if self._evaluation[0].image.lower().endswith(".png") else 3

    @property
    def name(self) -> str:
        """ho3d_v2 or ho3d_v3."""
        return f"ho3d_v{self.version}"

    def records(self, split: Split) -> Sequence[Record]:
        """Return the records of a split in the order of its list, without the training frames of `left_out`."""
        if split == "evaluation":
            frames, truth = self._evaluation, self._truth
            return Lazy(len(frames), lambda position: self._evaluation_record(frames[position], truth, position))
        training = self._training
        if not training.frames:
            raise DataError(f"{self.root / 'train'}: no frame has a camera: no camMat in any meta/ID.pkl")
        return Lazy(len(training.frames), lambda position: self._training_record(training.frames[position]))

    def left_out(self, split: Split) -> Mapping[str, str]:
        """Return which images of a split's list are no records, and why: no camera is known. None of evaluation."""
        return self._training.left_out if split == "training" else {}

    @cached_property
    def _training(self) -> _Training:
        frames = read_frames(self.root, "train")
        by_sequence: dict[str, list[Frame]] = {}
        for frame in frames:
            by_sequence.setdefault(frame.sequence, []).append(frame)
        cameras = {sequence: self._camera(found) for sequence, found in by_sequence.items()}
        left_out = {
            frame.image: f"no camMat, and the other frames of {sequence} have none or different ones"
            for sequence, found in by_sequence.items()
            if cameras[sequence] is None
            for frame in found
            if self._meta(frame).K is None
        }
        return _Training([frame for frame in frames if frame.image not in left_out], cameras, left_out)

    @cached_property
    def _evaluation(self) -> Sequence[Frame]:
        return read_frames(self.root, "evaluation")

    @cached_property
    def _truth(self) -> _Truth:
        def optional(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any] | None:
            path, count = self.root / name, len(self._evaluation)
            if not path.exists():
                return None
            values = read_json_arrays(path, shape, dtype)
            if len(values) != count:
                expected = f"{count} items, as many as evaluation.txt has lines"
                raise DataError(f"{path}: expected {expected}, found {len(values)}; is it of the same version?")
            return values

        return _Truth(
            xyz=optional("evaluation_xyz.json", (21, 3), np.float64),
            verts=optional("evaluation_verts.json", (778, 3), np.float32),
        )

    def _meta(self, frame: Frame) -> Meta:
        return read_meta(self.root / frame.meta) or Meta()

    def _camera(self, frames: Sequence[Frame]) -> NDArray[np.float64] | None:
        """K of a sequence: of its first and of its last frame that has one, if they agree."""

        def first(some: Iterable[Frame]) -> NDArray[np.float64] | None:
            return next((K for frame in some if (K := self._meta(frame).K) is not None), None)

        K, last = first(frames), first(reversed(frames))
        return K if K is not None and last is not None and np.array_equal(K, last) else None

    def _training_record(self, frame: Frame) -> Record:
        meta = self._meta(frame)
        own = meta.K is not None
        return Record(
            image=frame.image,
            path=self.root / frame.image,
            hand="right",
            K=meta.K if own else self._training.cameras[frame.sequence],
            K_source="camMat" if own else "camMat of the sequence's other frames",
            joints_cam=_converted(from_ho3d_joints, meta.joints),
            box=meta.box,
        )

    def _evaluation_record(self, frame: Frame, truth: _Truth, line: int) -> Record:
        meta = read_meta(self.root / frame.meta)
        if meta is None or meta.K is None:
            found = "no such file" if meta is None else "camMat: expected a 3x3 matrix, found none"
            raise DataError(f"{self.root / frame.meta}: {found}; every evaluation frame needs it, restore the file")
        joints = meta.joints if truth.xyz is None else truth.xyz[line]
        self._require_same_wrist(frame, meta, joints)
        return Record(
            image=frame.image,
            path=self.root / frame.image,
            hand="right",
            K=meta.K,
            K_source="camMat",
            joints_cam=_converted(from_ho3d_joints, joints),
            vertices_cam=_converted(from_ho3d_points, None if truth.verts is None else truth.verts[line]),
            wrist_cam=_converted(from_ho3d_points, meta.wrist),
            box=meta.box,
        )

    def _require_same_wrist(self, frame: Frame, meta: Meta, joints: NDArray[np.float64] | None) -> None:
        if meta.wrist is None or joints is None:
            return
        apart = float(np.linalg.norm(joints[WRIST] - meta.wrist))
        if apart > _SAME_WRIST:
            raise DataError(
                f"{self.root / 'evaluation_xyz.json'}: the wrist is {1000 * apart:.0f} mm from that of {frame.meta}; "
                "expected the truth of the same version, in evaluation.txt's order and HO-3D's own axes"
            )


def _converted(
    convert: Callable[[ArrayLike], Floats], values: NDArray[np.floating[Any]] | None
) -> NDArray[np.float64] | None:
    return None if values is None else convert(values).astype(np.float64)
