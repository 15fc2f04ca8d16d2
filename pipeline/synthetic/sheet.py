"""A picture of many synthetic photographs, with the true joints drawn on some: for the eye and for the documents."""

from collections.abc import Sequence

import cv2
import numpy as np

from s2hand.datasets.cameras import project
from s2hand.datasets.skeleton import BONES
from s2hand.pipeline.synthetic.noise import Bytes, Floats
from s2hand.pipeline.synthetic.scene import Photograph

_FINGER_COLOURS = ((230, 60, 60), (60, 200, 60), (70, 110, 255), (240, 210, 50), (220, 70, 220))
_FRACTION_BITS = 4


def draw_joints(image: Bytes, joints_px: Floats) -> Bytes:
    """A copy of image [S, S, 3] with the bones of joints [21, 2] (continuous pixels), one colour per finger."""
    drawn = image.copy()
    # OpenCV counts from the centre of the first pixel, we from its corner.
    places = np.round((joints_px - 0.5) * 2**_FRACTION_BITS).astype(int)
    for parent, child in BONES:
        tint = _FINGER_COLOURS[(child - 1) // 4]
        cv2.line(drawn, places[parent].tolist(), places[child].tolist(), tint, 2, cv2.LINE_AA, _FRACTION_BITS)
    return drawn


def contact_sheet(photos: Sequence[Photograph], columns: int, labelled: int = 0) -> Bytes:
    """The first version of each photograph in rows of `columns`; joints are drawn on the last `labelled` ones."""
    if not photos or len(photos) % columns:
        raise ValueError(f"a sheet needs full rows: expected a multiple of {columns} photographs, found {len(photos)}")
    tiles = [photo.images[0] for photo in photos]
    for number in range(len(photos) - labelled, len(photos)):
        tiles[number] = draw_joints(tiles[number], project(photos[number].joints, photos[number].K))
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows)
