"""A picture of many synthetic photographs, with the true joints drawn on some: for the eye and for the documents."""

from collections.abc import Sequence

import numpy as np

from s2hand.datasets.cameras import project
from s2hand.datasets.drawing import draw_hand
from s2hand.pipeline.synthetic.noise import Bytes
from s2hand.pipeline.synthetic.scene import Photograph


def contact_sheet(photos: Sequence[Photograph], columns: int, labelled: int = 0) -> Bytes:
    """The first version of each photograph in rows of `columns`; joints are drawn on the last `labelled` ones."""
    if not photos or len(photos) % columns:
        raise ValueError(f"a sheet needs full rows: expected a multiple of {columns} photographs, found {len(photos)}")
    tiles = [photo.images[0] for photo in photos]
    for number in range(len(photos) - labelled, len(photos)):
        joints = project(photos[number].joints, photos[number].K)
        tiles[number] = tiles[number].copy()
        draw_hand(tiles[number], np.concatenate([joints, np.ones((len(joints), 1))], axis=1).astype(np.float32))
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    return np.concatenate(rows)
