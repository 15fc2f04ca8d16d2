"""A contact sheet of the first hands of a reconstruction: what was seen, what was detected, what was made of it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image, crop_intrinsics, to_crop
from s2hand.datasets.drawing import Image, draw_hand, write_png, write_text
from s2hand.datasets.images import read_image
from s2hand.pipeline.reconstruct.overlays import line_unit, render_hand
from s2hand.pipeline.reconstruct.reconstruction import Reconstruction
from s2hand.pipeline.reconstruct.store import HandStore, hands_name
from s2hand.pipeline.reconstruct.table import Row, table_to_rows

MOST, ACROSS = 24, 2  # hands of a sheet, and of a row of it
COLUMNS = ("photograph", "detected", "joints", "mesh", "from its left")
TILE, GAP, LINE, HEADER = 160, 4, 18, 26
WIDEN = 1.2  # what is shown is that much wider than what the network saw
_PAPER, _INK, _TEXT = (250, 250, 250), (30, 30, 30), 0.42


def write_sheet(store: HandStore, images: Path, shards: int, faces: NDArray[np.int64], path: Path) -> Path | None:
    """Draw the first hands of the store's shards, whose photographs are in `images`; None where there is no hand.

    faces: [1538, 3] of the hand model.
    """
    rows = list(islice(_rows(store, shards, faces), MOST))
    if not rows:
        path.unlink(missing_ok=True)
        return None
    write_png(path, draw_sheet(images, rows))
    return path


def _rows(store: HandStore, shards: int, faces: NDArray[np.int64]) -> Iterator[Row]:
    for number in range(shards):
        yield from table_to_rows(pq.read_table(store.folder / hands_name(number)).slice(0, MOST), faces)


def draw_sheet(images: Path, rows: list[Row]) -> Image:
    """Draw hands, two a row, under a header that says what the columns are."""
    step, width = TILE + GAP, len(COLUMNS) * (TILE + GAP) + 3 * GAP
    height, across = step + LINE, min(ACROSS, len(rows))
    page = np.full((HEADER + -(-len(rows) // across) * height, across * width, 3), _PAPER, np.uint8)
    for index, row in enumerate(rows):
        left, top = GAP + index % across * width, HEADER + index // across * height
        if index < across:
            for column, label in enumerate(COLUMNS):
                write_text(page, label, left + column * step, HEADER - 9, _INK, _TEXT)
        for column, tile in enumerate(_tiles(read_image(images / row.image), row.hand)):
            page[top : top + TILE, left + column * step : left + column * step + TILE] = tile
        caption = f"{row.image}  {row.hand.hand}  {row.hand.confidence:.2f}"
        write_text(page[:, : left + width - 3 * GAP], caption, left, top + TILE + LINE - 5, _INK, _TEXT)
    return page


def _tiles(photograph: Image, hand: Reconstruction) -> list[Image]:
    """Draw the tiles of a hand, in the order of `COLUMNS`."""
    side = WIDEN * max(hand.box.w, hand.box.h)
    box = Box(hand.box.x + (hand.box.w - side) / 2, hand.box.y + (hand.box.h - side) / 2, side, side)
    crop, K = crop_image(photograph, box, TILE), crop_intrinsics(hand.K, box, TILE)
    detected, joints = crop.copy(), crop.copy()
    sure = np.ones((21, 1), np.float32)
    for picture, xy, confidence in (
        (detected, hand.keypoints[:, :2], hand.keypoints[:, 2:]),
        (joints, hand.joints_px, sure),
    ):
        keypoints = np.concatenate([to_crop(xy, box, TILE), confidence], axis=1).astype(np.float32)
        draw_hand(picture, keypoints, line_unit(keypoints, picture))
    mesh = render_hand(hand, hand.vertices_cam, K, crop)
    return [crop, detected, joints, mesh, _from_the_left(hand, K)]


def _from_the_left(hand: Reconstruction, K: NDArray[np.float64]) -> Image:
    """Render the hand turned by a quarter about its vertical: as one sees it from the picture's left."""
    middle = hand.vertices_cam.mean(axis=0)
    x, y, z = (hand.vertices_cam - middle).T
    turned = np.stack([-z, y, x], axis=1) + middle
    return render_hand(hand, turned, K, np.full((TILE, TILE, 3), 255, np.uint8))
