"""Predicted hands as files: a Parquet table, and the `pred.json` that the FreiHAND challenge takes.

Hands are written as they are in the photographs: left hands, which the network sees mirrored, are mirrored back,
and pixels are those of the whole photograph.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, from_crop, mirror_points_cam, mirror_points_px
from s2hand.datasets.files import replacing
from s2hand.datasets.packs import Rows

Floats = NDArray[np.floating]

DECIMALS = 6  # a micrometre


def write_predictions(
    folder: Path,
    names: Sequence[str],
    rows: Rows,
    joints_cam: Floats,  # [N, 21, 3] metres, as the network sees the hand: a right one
    vertices_cam: Floats,  # [N, 778, 3]
    joints_px: Floats,  # [N, 21, 2] pixels of the crop
) -> None:
    """Write `predictions.parquet` (image, hand, joints_cam, joints_px) and `pred.json` (joints and vertices)."""
    folder.mkdir(parents=True, exist_ok=True)
    left = rows.mirrored[:, None, None]
    joints = np.where(left, mirror_points_cam(joints_cam), joints_cam)
    vertices = np.where(left, mirror_points_cam(vertices_cam), vertices_cam)
    size = rows.images.shape[1]
    crop_px = np.where(left, mirror_points_px(joints_px, size), joints_px)
    pixels = np.stack([from_crop(xy, Box(*map(float, box)), size) for xy, box in zip(crop_px, rows.boxes, strict=True)])
    table = pa.table(
        {
            "image": list(names),
            "hand": ["left" if mirrored else "right" for mirrored in rows.mirrored],
            "joints_cam": _lists(joints),
            "joints_px": _lists(pixels),
        }
    )
    with replacing(folder / "predictions.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")
    challenge = [np.round(points.astype(float), DECIMALS).tolist() for points in (joints, vertices)]
    with replacing(folder / "pred.json") as temporary:
        temporary.write_text(json.dumps(challenge, separators=(",", ":")), encoding="utf-8")


def _lists(values: Floats) -> pa.Array:
    flat = values.reshape(len(values), -1).astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
