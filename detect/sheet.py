"""Contact sheets: the hands of a run drawn on their photographs, to be looked at by a human.

A page holds up to 100 tiles: whole photographs with all their hands, or single hands cut out.
"""

import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from s2hand.datasets.drawing import (
    FINGER_COLORS,
    WRIST_COLOR,
    Color,
    Image,
    read_note,
    text_width,
    write_png,
    write_text,
)
from s2hand.datasets.files import DataError
from s2hand.datasets.images import ImageError, read_image
from s2hand.detect.selection import Selection, Shown, choose
from s2hand.detect.tiles import (
    HAND_COLORS,
    INK,
    LINE,
    TILE,
    draw_crop,
    draw_photograph,
    write_caption,
    write_reasons,
)

NOTE = "s2hand contact sheet"  # in the file, which is known by it
GAP = 6
HEADER = 36
COLUMNS = 10
FEWEST_COLUMNS = 4  # the header needs their width
PER_PAGE = COLUMNS * COLUMNS
Progress = Callable[[int, int], None]  # (tiles drawn, tiles in all)

PAPER: Color = (38, 38, 42)
FAINT = "faint: unsure"  # what thin, pale joints and bones mean
FAINT_INK: Color = (150, 150, 150)


def write_sheets(
    images: Path,
    shards: Path,
    file: Path,
    progress: Progress | None = None,
    selection: Selection | None = None,
    crops: bool = False,
) -> list[Path]:
    """Draw the finished run in the folder `shards`, made from the folder or file `images`, as PNG pages.

    `selection` says which hands, and in which order; `crops` cuts each out. The first page is `file`, further ones
    are beside it as NAME.page2.png, ...; pages of an earlier and longer sheet are removed. Returns the pages.

    Raises ValueError if the run is not complete, holds no hand that was asked for, none of its photographs can be
    read, or `file` does not end in .png or lies among the photographs.
    """
    check_sheet_name(file, images)
    selection = selection or Selection()
    root = _root(images)
    chosen, total = choose(shards, selection, apart=crops)
    _check_readable(root, chosen)
    pages = [chosen[first : first + PER_PAGE] for first in range(0, len(chosen), PER_PAGE)]
    file.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for number, page in enumerate(pages, start=1):
        title = f"{len(chosen)} of {total} {'hands' if crops else 'images'}, page {number} of {len(pages)}"
        before = (number - 1) * PER_PAGE

        def report(done: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, len(chosen))

        written.append(_page_path(file, number))
        write_png(written[-1], draw_page(root, page, title, crops, selection.suspicious, report), NOTE)
    _remove_pages(file, len(pages))
    return written


def check_sheet_name(file: Path, images: Path) -> None:
    """Raise ValueError unless the file's name ends in .png, and it lies outside the folder of the photographs.

    There it would replace a photograph, or be one of the next run. If `images` is one file, it may lie beside that, if
    it replaces nothing but another contact sheet.
    """
    if file.suffix.lower() != ".png":
        raise ValueError(f"{file}: a contact sheet is a PNG file; expected a name that ends in .png")
    if images.is_file():
        if file.resolve() == images.resolve():
            raise ValueError(f"{file}: is the photograph itself; give the contact sheet another name")
        if file.is_file() and read_note(file) != NOTE:
            raise ValueError(f"{file}: is there already, and no contact sheet; give the contact sheet another name")
        return
    root = _root(images).resolve()
    # Both by name and where links lead: a run follows linked folders.
    if any(folder.resolve() == root for place in (_absolute(file), file.resolve()) for folder in place.parents):
        raise ValueError(
            f"{file}: lies in the photographs' folder {_root(images)}, where the contact sheet would be taken for a "
            f"photograph; expected a place outside it"
        )


def _root(images: Path) -> Path:
    """Return the folder that photographs' names are relative to: that of a file, if it is one."""
    return images.parent if images.is_file() else images


def _absolute(file: Path) -> Path:
    return Path(os.path.abspath(file))  # without `..`, but with links


def _check_readable(images: Path, chosen: Sequence[Shown]) -> None:
    """Raise DataError if not one photograph can be read: then `images` is another folder."""
    if not images.is_dir():
        raise DataError(f"{images}: no such folder; expected the one that the run's photographs are in")
    for shown in chosen:
        try:
            read_image(images / shown.image)
        except ImageError:
            continue
        return
    raise DataError(
        f"{images}: none of {len(chosen)} photographs of the run can be read there, such as {chosen[0].image}; "
        f"expected the folder that the run was made from"
    )


def draw_page(
    images: Path,
    page: Sequence[Shown],
    title: str,
    crops: bool = False,
    reasons: bool = False,
    report: Callable[[int], None] = lambda done: None,
) -> Image:
    """Draw one page: a header that says what the colours mean, and the tiles in rows.

    `crops` cuts hands out; `reasons` adds a line with why they are suspicious. `report` is told how many tiles are
    drawn.
    """
    text = 2 * LINE if reasons else LINE
    columns = min(COLUMNS, max(FEWEST_COLUMNS, math.ceil(math.sqrt(len(page)))))
    rows = math.ceil(len(page) / columns)
    width = GAP + columns * (TILE + GAP)
    sheet = np.full((HEADER + rows * (TILE + text + GAP) + GAP, width, 3), PAPER, np.uint8)
    _draw_header(sheet, title)
    for index, shown in enumerate(page):
        top = HEADER + (index // columns) * (TILE + text + GAP)
        left = GAP + (index % columns) * (TILE + GAP)
        tile = draw_crop(images, shown) if crops else draw_photograph(images, shown)
        y, x = top + (TILE - tile.shape[0]) // 2, left + (TILE - tile.shape[1]) // 2
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        write_caption(sheet, shown, left, top + TILE + LINE - 6)
        if reasons:
            write_reasons(sheet, shown, left, top + TILE + 2 * LINE - 6)
        report(index + 1)
    return sheet


def _draw_header(sheet: Image, title: str) -> None:
    x = write_text(sheet, title, GAP, HEADER - 12, INK, 0.55)
    for name, color in (("wrist", WRIST_COLOR), *FINGER_COLORS.items(), *HAND_COLORS.items()):
        x = write_text(sheet, name, x + 18, HEADER - 12, color, 0.55)
    if x + 18 + text_width(FAINT, 0.55) <= sheet.shape[1] - GAP:
        write_text(sheet, FAINT, x + 18, HEADER - 12, FAINT_INK, 0.55)


def _page_path(file: Path, number: int) -> Path:
    return file if number == 1 else file.with_name(f"{file.stem}.page{number}{file.suffix}")


def _remove_pages(file: Path, count: int) -> None:
    """Remove the pages of an earlier sheet beyond this many."""
    name = re.compile(re.escape(file.stem) + r"\.page(\d+)" + re.escape(file.suffix))
    for path in file.parent.iterdir():
        found = name.fullmatch(path.name)
        if found and int(found[1]) > count:
            path.unlink()
