"""Contact sheets: the photographs of a run with their keypoints drawn, to be looked at by a human.

A page holds up to 100 photographs; of a larger run, those that are evenly spread over its images are shown.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.drawing import FINGER_COLORS, WRIST_COLOR, Color, Image, draw_hand, write_png, write_text
from s2hand.datasets.images import ImageError, read_image
from s2hand.datasets.keypoints import read_keypoints, to_arrays

TILE = 256  # pixels of a photograph's longer side
CAPTION = 20  # pixels of text below it
GAP = 6
HEADER = 36
COLUMNS = 10
PER_PAGE = COLUMNS * COLUMNS
MOST_PAGES = 4
SUPERSAMPLING = 2  # drawn larger and reduced, so that thin lines are smooth
Progress = Callable[[int, int], None]  # (photographs drawn, photographs in all)

PAPER: Color = (38, 38, 42)
INK: Color = (235, 235, 235)


@dataclass(frozen=True, eq=False)
class Shown:
    """One photograph of a sheet and the hands that were found in it."""

    image: str
    hands: NDArray[np.float32]  # [n, 21, 3]


def write_sheets(images: Path, shards: Path, file: Path, progress: Progress | None = None) -> list[Path]:
    """Draw the finished run in the folder `shards`, made from the folder `images`, as PNG pages.

    The first page is `file`, further ones are beside it as NAME.page2.png, ...; pages of an earlier and
    longer sheet are removed. Returns the pages.

    Raises ValueError if the run is not complete, holds no hand, or `file` does not end in .png.
    """
    check_sheet_name(file)
    arrays = to_arrays(read_keypoints(shards))
    found: dict[str, list[NDArray[np.float32]]] = {}
    for name, keypoints in zip(arrays.images, arrays.keypoints, strict=True):
        found.setdefault(name, []).append(keypoints)
    if not found:
        raise ValueError(f"{shards}: holds no hand to draw on a contact sheet")
    shown = [Shown(name, np.stack(hands)) for name, hands in sorted(found.items())]
    chosen = [shown[index] for index in spread(len(shown), MOST_PAGES * PER_PAGE)]
    pages = [chosen[first : first + PER_PAGE] for first in range(0, len(chosen), PER_PAGE)]
    file.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for number, page in enumerate(pages, start=1):
        title = f"{len(chosen)} of {len(shown)} images, page {number} of {len(pages)}"
        written.append(_page_path(file, number))
        write_png(written[-1], draw_page(images, page, title))
        if progress is not None:
            progress(min(number * PER_PAGE, len(chosen)), len(chosen))
    for number in range(len(pages) + 1, MOST_PAGES + 1):
        _page_path(file, number).unlink(missing_ok=True)
    return written


def check_sheet_name(file: Path) -> None:
    """Raise ValueError unless the file's name ends in .png."""
    if file.suffix.lower() != ".png":
        raise ValueError(f"{file}: a contact sheet is a PNG file; expected a name that ends in .png")


def spread(count: int, most: int) -> list[int]:
    """Pick at most `most` of the numbers below `count`, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [int(index) for index in np.linspace(0, count - 1, most).round()]


def draw_page(images: Path, page: Sequence[Shown], title: str) -> Image:
    """Draw one page: a header with the fingers' colours, and the photographs in rows."""
    columns = min(COLUMNS, max(4, math.ceil(math.sqrt(len(page)))))
    rows = math.ceil(len(page) / columns)
    width = GAP + columns * (TILE + GAP)
    sheet = np.full((HEADER + rows * (TILE + CAPTION + GAP) + GAP, width, 3), PAPER, np.uint8)
    _draw_header(sheet, title)
    for index, shown in enumerate(page):
        top = HEADER + (index // columns) * (TILE + CAPTION + GAP)
        left = GAP + (index % columns) * (TILE + GAP)
        tile = draw_tile(images, shown)
        y, x = top + (TILE - tile.shape[0]) // 2, left + (TILE - tile.shape[1]) // 2
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        write_text(sheet, _caption(shown), left + 2, top + TILE + CAPTION - 6, INK, 0.42)
    return sheet


def draw_tile(images: Path, shown: Shown) -> Image:
    """Read a photograph, fit it into a tile, and draw its hands; grey if the file is gone."""
    try:
        image = read_image(images / shown.image)
    except ImageError:
        return np.full((TILE, TILE, 3), 90, np.uint8)
    scale = TILE / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    kind = cv2.INTER_AREA if scale * SUPERSAMPLING < 1 else cv2.INTER_CUBIC
    large = cv2.resize(image, (width * SUPERSAMPLING, height * SUPERSAMPLING), interpolation=kind)
    canvas = large.astype(np.uint8, copy=False)
    for hand in shown.hands:
        draw_hand(canvas, hand * np.array([*_ratio(canvas, image), 1], np.float32))
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _ratio(canvas: Image, image: Image) -> tuple[float, float]:
    return canvas.shape[1] / image.shape[1], canvas.shape[0] / image.shape[0]


def _caption(shown: Shown) -> str:
    confidence = f" {shown.hands[:, :, 2].mean():.2f}"
    room = 36 - len(confidence)  # characters below a tile
    name = shown.image if len(shown.image) <= room else "~" + shown.image[1 - room :]
    return name + confidence


def _draw_header(sheet: Image, title: str) -> None:
    x = write_text(sheet, title, GAP, HEADER - 12, INK, 0.55)
    legend: Iterator[tuple[str, Color]] = iter({"wrist": WRIST_COLOR, **FINGER_COLORS}.items())
    for name, color in legend:
        x = write_text(sheet, name, x + 18, HEADER - 12, color, 0.55)


def _page_path(file: Path, number: int) -> Path:
    return file if number == 1 else file.with_name(f"{file.stem}.page{number}{file.suffix}")
