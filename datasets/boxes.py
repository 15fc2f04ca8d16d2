"""Where hands are in photographs, and the files that say so.

| file | rows |
| --- | --- |
| Parquet, CSV | columns `image`, `x`, `y`, `w`, `h` in continuous pixels, and `hand` (right, left) where it is known |
| COCO (JSON) | annotations' `bbox`; the hand by the attribute `hand` or the category's name |
| COCO-WholeBody (JSON) | `lefthand_box`, `righthand_box` |
| keypoint shards | a folder of them, or one: the boxes that were looked at |

`image` is the path relative to the images' folder, as everywhere. A box of no size is refused, but in COCO, where it
says that there is no hand, passed over.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from s2hand.datasets.box_files import BoxRows, read_box_rows
from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError
from s2hand.datasets.records import HANDS, Hand


@dataclass(frozen=True)
class HandBox:
    """One hand in an image: the rectangle to look at, in continuous pixels of the upright image, and which hand."""

    box: Box
    hand: Hand

    def __post_init__(self) -> None:
        if self.hand not in HANDS:
            raise ValueError(f"HandBox: hand: expected right or left, found {self.hand!r}")


@dataclass(frozen=True, eq=False)
class BoxTable:
    """The hand boxes of a file, by image; within an image in the file's order."""

    path: Path
    sha256: str  # of the file; of a folder of shards, of its manifest
    _first: str  # what to call the first row, for the user
    _place: dict[str, int]  # image -> its number
    _edges: NDArray[np.int64]  # [images + 1] of the rows of each image
    _boxes: NDArray[np.float64]  # [N, 4], sorted by image
    _right: NDArray[np.bool_]  # [N], sorted likewise

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self._boxes)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the images that have a box."""
        return iter(self._place)

    def of(self, image: str) -> tuple[HandBox, ...]:
        """Return the boxes of an image, none if the file has none."""
        place = self._place.get(image)
        if place is None:
            return ()
        rows = range(int(self._edges[place]), int(self._edges[place + 1]))
        return tuple(HandBox(Box(*self._boxes[row].tolist()), "right" if self._right[row] else "left") for row in rows)

    def images_absent(self, names: Collection[str], folder: Path) -> int:
        """Count the images with boxes that are not among `names`, those of a folder: it may hold a part of them.

        Raises:
            DataError: none of them is there, so that the folder or the way of naming is another.
        """
        known = names if isinstance(names, set | frozenset) else frozenset(names)
        absent = [image for image in self._place if image not in known]
        if absent and len(absent) == len(self._place):
            raise DataError(
                f"{self.path}: {self._first}: image {absent[0]!r}: not among the {len(known)} images in {folder}, "
                f"nor is any other; expected paths relative to that folder, such as {min(known, default='a/b.jpg')!r}"
            )
        return len(absent)


def read_boxes(path: Path, hand: Hand = "right") -> BoxTable:
    """Read a file of hand boxes, one of the module docstring's; `hand` is what rows show that do not say.

    Raises:
        DataError: the file is missing or of another kind, or lacks a column or has an unknown one; or a box is not
            finite, not of positive size, or outside its image where the file says the image's size; with the row, or
            of COCO the annotation.
    """
    found = read_box_rows(Path(path))
    boxes = np.stack([_numbers(found, name) for name in "xywh"], axis=1)
    right = _right(found, hand)
    _check_boxes(found, boxes)
    images = _images(found).dictionary_encode()
    numbers = images.indices.to_numpy()
    order = np.argsort(numbers, kind="stable")
    edges = np.searchsorted(numbers[order], np.arange(len(images.dictionary) + 1))
    place = {image: number for number, image in enumerate(images.dictionary.to_pylist())}
    first = found.place(0) if len(boxes) else ""
    return BoxTable(found.path, found.sha256, first, place, edges, boxes[order], right[order])


def _images(found: BoxRows) -> Any:
    images = found.table["image"]
    if images.null_count:
        _refuse(found, _first(pc.is_null(images)), "image: expected a name, found none")
    try:
        return pa.concat_arrays(images.cast(pa.string()).chunks or [pa.array([], pa.string())])
    except pa.ArrowException as error:
        raise DataError(f"{found.path}: column image: expected names, found {images.type}") from error


def _numbers(found: BoxRows, name: str) -> NDArray[np.float64]:
    column = found.table[name]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
        raise DataError(f"{found.path}: column {name}: expected numbers, found {column.type}{_first_text(found, name)}")
    return cast("NDArray[np.float64]", column.cast(pa.float64()).to_numpy())  # a null becomes NaN


def _right(found: BoxRows, default: Hand) -> NDArray[np.bool_]:
    if "hand" not in found.table.column_names:
        return np.full(found.table.num_rows, default == "right")
    hands = found.table["hand"].cast(pa.string()).fill_null(default)
    unknown = pc.invert(pc.is_in(hands, pa.array(HANDS)))
    if pc.any(unknown).as_py():
        row = _first(unknown)
        _refuse(found, row, f"hand: expected right or left, found {hands[row].as_py()!r}")
    return np.asarray(pc.equal(hands, "right").to_numpy(), np.bool_)


def _check_boxes(found: BoxRows, boxes: NDArray[np.float64]) -> None:
    bad = ~np.isfinite(boxes).all(axis=1)
    if bad.any():
        _refuse(found, int(np.argmax(bad)), f"expected numbers x, y, w, h, found {_say(boxes[np.argmax(bad)])}")
    bad = (boxes[:, 2:] <= 0).any(axis=1)
    if bad.any():
        _refuse(found, int(np.argmax(bad)), f"expected w and h above 0, found {_say(boxes[np.argmax(bad)])}")
    if not {"width", "height"} <= set(found.table.column_names):
        return
    sizes = np.stack([_numbers(found, name) for name in ("width", "height")], axis=1)
    # A size that the file does not say is NaN, which is never smaller.
    bad = ((boxes[:, :2] >= sizes) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)
    if bad.any():
        width, height = sizes[np.argmax(bad)]
        problem = f"box {_say(boxes[np.argmax(bad)])}: outside its image of {width:g} x {height:g} pixels"
        _refuse(found, int(np.argmax(bad)), problem)


def _first_text(found: BoxRows, name: str) -> str:
    """Say which cell of a column of text is the first that is no number."""
    column = found.table[name]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return ""
    for row, text in enumerate(column.to_pylist()):
        try:
            float(text or "nan")
        except ValueError:
            return f", {found.place(row)}: {text!r}"
    return ""


def _first(mask: Any) -> int:
    return int(np.argmax(mask.to_numpy(zero_copy_only=False)))


def _say(box: NDArray[np.float64]) -> str:
    return ", ".join(f"{number:g}" for number in box)


def _refuse(found: BoxRows, row: int, problem: str) -> NoReturn:
    raise DataError(f"{found.path}: {found.place(row)}: {problem}")
