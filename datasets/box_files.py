"""Read the files that `boxes` knows, each into one table of columns; `boxes` checks what is in them."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from s2hand.datasets.coco import CocoFile, read_coco
from s2hand.datasets.files import DataError, one_line, sha256_file
from s2hand.datasets.keypoints import iterate_keypoints
from s2hand.datasets.manifest import MANIFEST
from s2hand.datasets.records import HANDS, Hand
from s2hand.datasets.rows import SCHEMA

NEEDED = ("image", "x", "y", "w", "h")
OPTIONAL = ("hand", "width", "height", "score")
"""Columns of a table of boxes; `score` is passed over. Others are refused: one that is called otherwise than expected
(`side` for `hand`) would be lost without a word."""

_SIZES = ("width", "height")


def _nth_row(row: int) -> str:
    return f"row {row + 1}"


@dataclass(frozen=True, eq=False)
class BoxRows:
    """A file of boxes as a table: the columns `NEEDED`, and `hand`, `width`, `height` where the file has them."""

    path: Path
    sha256: str
    table: pa.Table
    place: Callable[[int], str] = _nth_row  # what to call a row, for the user


def read_box_rows(path: Path) -> BoxRows:
    """Read a file by its suffix, or a folder of keypoint shards; `DataError` if it can't be read as such."""
    if path.is_dir():
        tables = [_from_shards(shard) for shard in iterate_keypoints(path)]
        none = _from_shards(SCHEMA.empty_table())
        return BoxRows(path, sha256_file(path / MANIFEST), pa.concat_tables([none, *tables]))
    readers = {".parquet": _read_parquet, ".csv": _read_csv}
    if path.suffix.lower() not in {*readers, ".json"}:
        raise DataError(f"{path}: expected boxes in .parquet, .csv, COCO's .json, or a folder of keypoint shards")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix.lower() == ".json":
        return _read_coco(path)
    return BoxRows(path, sha256_file(path), readers[path.suffix.lower()](path))


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({one_line(error)})") from error
    if table.schema.equals(SCHEMA, check_metadata=False):
        return _from_shards(table)
    return _checked(path, table)


def _read_csv(path: Path) -> pa.Table:
    names = pyarrow.csv.ConvertOptions(
        column_types={"image": pa.string(), "hand": pa.string()}, strings_can_be_null=True
    )
    try:
        _check_encoding(path)
        table = pyarrow.csv.read_csv(path, convert_options=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a CSV file with a header ({one_line(error)})") from error
    return _checked(path, table)


def _check_encoding(path: Path) -> None:
    """Refuse a CSV file whose header is not UTF-8; UTF-16, as spreadsheets save it, has zeros between its letters."""
    with open(path, "rb") as file:
        header = file.readline()
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise DataError(
            f"{path}: expected a CSV file in UTF-8, found another encoding, such as UTF-16; save it as UTF-8"
        )


def _checked(path: Path, table: pa.Table) -> pa.Table:
    found = table.column_names
    missing = [name for name in NEEDED if found.count(name) != 1]
    unknown = [name for name in found if name not in (*NEEDED, *OPTIONAL)]
    if missing or unknown:
        problem = f"no column {missing[0]!r}" if missing else f"unknown column {unknown[0]!r}"
        raise DataError(f"{path}: {problem}; expected {', '.join(NEEDED)}, and perhaps {', '.join(OPTIONAL)}")
    return table


def _from_shards(table: pa.Table) -> pa.Table:
    flat = table["box"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
    columns = {name: table[name] for name in ("image", "hand", *_SIZES)}
    return pa.table({**columns, **{name: pa.array(flat[:, axis]) for axis, name in enumerate("xywh")}})


def _read_coco(path: Path) -> BoxRows:
    coco = read_coco(path)
    rows: list[tuple[Any, ...]] = []
    origins: list[dict[str, Any]] = []  # the annotation of each row
    for annotation in coco.annotations:
        image = coco.image_of(annotation)
        sizes = [_number(coco, annotation, f"{name} of its image", getattr(image, name)) for name in _SIZES]
        for box, hand in _coco_boxes(coco, annotation):
            rows.append((image.name, *box, hand, *sizes))
            origins.append(annotation)
    names = (*NEEDED, "hand", *_SIZES)
    types = (pa.string(), *[pa.float64()] * 4, pa.string(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    try:
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can spell
        raise DataError(f"{path}: file_name: expected text, found {error.object!r}") from error
    table = pa.table(arrays, names=list(names))
    return BoxRows(path, sha256_file(path), table, lambda row: coco.label_of(origins[row]))


def _coco_boxes(coco: CocoFile, annotation: dict[str, Any]) -> Iterator[tuple[list[float], Hand | None]]:
    """Yield the boxes of one annotation: the hands' of a person where it has them, else its own.

    One of no size is none, as COCO-WholeBody says it, and passed over.
    """
    sides = [side for side in HANDS if f"{side}hand_box" in annotation]
    if not sides:
        box, hand = _four(coco, annotation, "bbox"), coco.hand_of(annotation)
        if box[2] and box[3]:
            yield box, hand
    for side in sides:
        box = _four(coco, annotation, f"{side}hand_box")
        if annotation.get(f"{side}hand_valid", True) and box[2] and box[3]:
            yield box, side


def _four(coco: CocoFile, annotation: dict[str, Any], field: str) -> list[float]:
    box = annotation.get(field)
    if not isinstance(box, list) or len(box) != 4 or None in box:
        coco.refuse(annotation, f"{field}: expected x, y, w, h, found {box!r}")
    return [cast("float", _number(coco, annotation, field, value)) for value in box]


def _number(coco: CocoFile, annotation: dict[str, Any], field: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        coco.refuse(annotation, f"{field}: expected numbers, found {value!r}")
    return float(value)
