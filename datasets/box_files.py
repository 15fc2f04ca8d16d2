"""Read the files that `boxes` knows, each into one table of columns; `boxes` checks what is in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from s2hand.datasets.coco import CocoFile, CocoImage, read_coco
from s2hand.datasets.files import DataError, sha256_file
from s2hand.datasets.keypoints import iterate_keypoints
from s2hand.datasets.manifest import MANIFEST
from s2hand.datasets.records import HANDS, Hand
from s2hand.datasets.rows import SCHEMA

NEEDED = ("image", "x", "y", "w", "h")
KNOWN = (*NEEDED, "hand", "width", "height", "score")
"""Columns of a table of boxes; `score` is passed over. Others are refused: one that is called otherwise than expected
(`side` for `hand`) would be lost without a word."""

FROM_SHARDS = ("image", "hand", "width", "height", "box")


@dataclass(frozen=True, eq=False)
class BoxRows:
    """A file of boxes as a table: the columns `NEEDED`, and `hand`, `width`, `height` where the file has them."""

    path: Path
    sha256: str
    table: pa.Table


def read_box_rows(path: Path) -> BoxRows:
    """Read a file by its suffix, or a folder of keypoint shards; `DataError` if it can't be read as such."""
    if path.is_dir():
        tables = [_from_shards(shard) for shard in iterate_keypoints(path)]
        none = _from_shards(SCHEMA.empty_table())
        return BoxRows(path, sha256_file(path / MANIFEST), pa.concat_tables([none, *tables]))
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".json": _read_coco}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: expected boxes in .parquet, .csv, COCO's .json, or a folder of keypoint shards")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return BoxRows(path, sha256_file(path), readers[path.suffix.lower()](path))


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({_one_line(error)})") from error
    if table.schema.equals(SCHEMA, check_metadata=False):
        return _from_shards(table)
    return _checked(path, table)


def _read_csv(path: Path) -> pa.Table:
    names = pyarrow.csv.ConvertOptions(
        column_types={"image": pa.string(), "hand": pa.string()}, strings_can_be_null=True
    )
    try:
        table = pyarrow.csv.read_csv(path, convert_options=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a CSV file with a header ({_one_line(error)})") from error
    return _checked(path, table)


def _checked(path: Path, table: pa.Table) -> pa.Table:
    found = table.column_names
    missing = [name for name in NEEDED if found.count(name) != 1]
    unknown = [name for name in found if name not in KNOWN]
    if missing or unknown:
        problem = f"no column {missing[0]!r}" if missing else f"unknown column {unknown[0]!r}"
        raise DataError(f"{path}: {problem}; expected {', '.join(NEEDED)}, and perhaps {', '.join(KNOWN[5:])}")
    return table


def _from_shards(table: pa.Table) -> pa.Table:
    flat = table["box"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
    columns = {name: table[name] for name in FROM_SHARDS if name != "box"}
    return pa.table({**columns, **{name: pa.array(flat[:, axis]) for axis, name in enumerate("xywh")}})


def _read_coco(path: Path) -> pa.Table:
    coco = read_coco(path)
    rows = [
        (image.name, *box, hand, image.width, image.height)
        for annotation in coco.annotations
        for image, box, hand in _coco_boxes(coco, annotation)
    ]
    names = (*NEEDED, "hand", "width", "height")
    types = (pa.string(), *[pa.float64()] * 4, pa.string(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    try:
        arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    except (pa.ArrowException, TypeError) as error:
        raise DataError(f"{path}: expected numbers as sizes and boxes ({_one_line(error)})") from error
    return pa.table(arrays, names=list(names))


def _coco_boxes(coco: CocoFile, annotation: dict[str, Any]) -> Iterator[tuple[CocoImage, list[Any], Hand | None]]:
    """Yield the boxes of one annotation: the hands' of a person where it has them, else its own."""
    image = coco.image_of(annotation)
    sides = [side for side in HANDS if f"{side}hand_box" in annotation]
    if not sides:
        yield image, _four(coco, annotation, "bbox"), coco.hand_of(annotation)
    for side in sides:
        box = _four(coco, annotation, f"{side}hand_box")
        if annotation.get(f"{side}hand_valid", True) and any(box):
            yield image, box, side


def _four(coco: CocoFile, annotation: dict[str, Any], field: str) -> list[Any]:
    box = annotation.get(field)
    if not isinstance(box, list) or len(box) != 4:
        coco.refuse(annotation, f"{field}: expected x, y, w, h, found {box!r}")
    return box


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
