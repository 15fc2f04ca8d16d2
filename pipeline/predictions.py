"""Predicted hands as a Parquet table.

Joints are written as they are in the photographs: left hands, which the network sees mirrored, are
mirrored back, and pixels are those of the whole photograph. The geometry code stays that of the right hand that the
network sees: M = s M0(pose, shape) R + T, with R about the wrist joint.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, from_crop, mirror_points_cam, mirror_points_px
from s2hand.datasets.files import replacing
from s2hand.datasets.packs import Annotations
from s2hand.train.predict import Predictions

Floats = NDArray[np.floating]

_CODE = {"pose": 30, "shape": 10, "scale": 1, "rotation": 3, "translation": 3}
_ENDS = np.cumsum(list(_CODE.values()))[:-1].tolist()


def in_photographs(
    mirrored: NDArray[np.bool_],  # [N]
    predicted: Predictions,
) -> tuple[Floats, Floats]:
    """Return the joints [N, 21, 3] and the vertices [N, 778, 3] with the mirrored hands mirrored back."""
    left = mirrored[:, None, None]
    joints, vertices = predicted.joints_cam, predicted.vertices_cam
    return (
        np.where(left, mirror_points_cam(joints), joints),
        np.where(left, mirror_points_cam(vertices), vertices),
    )


def write_predictions(
    folder: Path,
    names: Sequence[str],
    annotations: Annotations,
    predicted: Predictions,
) -> None:
    """Write `predictions.parquet`.

    Its columns: image, hand, joints_cam [63] metres, joints_px [42]; pose [30], shape [10], scale [1],
    rotation [3] (axis-angle), translation [3] (metres).
    """
    folder.mkdir(parents=True, exist_ok=True)
    joints, _ = in_photographs(annotations.mirrored, predicted)
    left = annotations.mirrored[:, None, None]
    size = annotations.size
    crop_px = np.where(left, mirror_points_px(predicted.joints_px, size), predicted.joints_px)
    pixels = np.stack(
        [from_crop(xy, Box(*map(float, box)), size) for xy, box in zip(crop_px, annotations.boxes, strict=True)]
    )
    table = pa.table(
        {
            "image": list(names),
            "hand": ["left" if mirrored else "right" for mirrored in annotations.mirrored],
            "joints_cam": _lists(joints),
            "joints_px": _lists(pixels),
            **{name: _lists(part) for name, part in zip(_CODE, np.split(predicted.codes, _ENDS, axis=1), strict=True)},
        }
    )
    with replacing(folder / "predictions.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _lists(values: Floats) -> pa.Array:
    flat = values.reshape(len(values), -1).astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
