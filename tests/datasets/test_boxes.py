"""Hand boxes from files of every kind, and files that are wrong: one line that names the file and the row."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from s2hand.datasets.boxes import HandBox, read_boxes
from s2hand.datasets.cameras import Box
from s2hand.datasets.exports import export_keypoints
from s2hand.datasets.files import DataError, sha256_file, write_json
from s2hand.datasets.keypoints import read_keypoints, to_arrays

ROWS = {
    "image": ["b/ü.jpg", "a.jpg", "b/ü.jpg", "a.jpg"],
    "x": [1.5, 2, -3, 4],
    "y": [5, 6, 7, 8.25],
    "w": [9, 10, 11, 12],
    "h": [13, 14, 15, 16],
    "hand": ["left", "right", "right", None],
}


def write(path: Path, **changes: object) -> Path:
    """Write the rows above, with other or no (None) columns, as what the path's suffix says."""
    columns = {name: values for name, values in {**ROWS, **changes}.items() if values is not None}
    frame = pd.DataFrame(columns)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


def test_a_box_says_which_hand() -> None:
    with pytest.raises(ValueError, match="expected right or left, found 'both'"):
        HandBox(Box(0, 0, 1, 1), "both")  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_boxes_come_by_image_in_the_files_order(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"boxes.{suffix}")
    table = read_boxes(path, "left")
    assert table.of("b/ü.jpg") == (HandBox(Box(1.5, 5, 9, 13), "left"), HandBox(Box(-3, 7, 11, 15), "right"))
    assert table.of("a.jpg") == (HandBox(Box(2, 6, 10, 14), "right"), HandBox(Box(4, 8.25, 12, 16), "left"))
    assert table.of("other.jpg") == ()
    assert (len(table), set(table)) == (4, {"a.jpg", "b/ü.jpg"})
    assert table.sha256 == sha256_file(path)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize("hand", ["right", "left"])
def test_a_file_that_does_not_say_which_hand(tmp_path: Path, suffix: str, hand: str) -> None:
    table = read_boxes(write(tmp_path / f"boxes.{suffix}", hand=None, score=[1, 0, 1, 0]), hand)  # type: ignore[arg-type]
    assert {box.hand for image in table for box in table.of(image)} == {hand}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": None}, "no column 'w'; expected image, x, y, w, h, and perhaps hand, width, height, score"),
        ({"side": ["left"] * 4}, "unknown column 'side'; expected image"),
        ({"x": [1, 2, np.nan, 4]}, "row 3: expected numbers x, y, w, h, found nan, 7, 11, 15"),
        ({"y": [1, np.inf, 3, 4]}, "row 2: expected numbers x, y, w, h, found 2, inf, 10, 14"),
        ({"h": [1, 2, 3, -4]}, "row 4: expected w and h above 0, found 4, 8.25, 12, -4"),
        ({"w": [0, 2, 3, 4]}, "row 1: expected w and h above 0, found 1.5, 5, 0, 13"),
        ({"hand": ["left", "both", "right", "left"]}, "row 2: hand: expected right or left, found 'both'"),
        ({"image": ["a", None, "b", "c"]}, "row 2: image: expected a name, found none"),
        ({"x": ["1", "2", "three", "4"]}, r"column x: expected numbers, found (large_)?string, row 3: 'three'"),
        (
            {"width": [100, 12, 100, 100], "height": [100] * 4, "x": [0, 12, 0, 0]},
            "row 2: box 12, 6, 10, 14: outside its image of 12 x 100 pixels",
        ),
        (
            {"width": [99] * 4, "height": [99] * 4, "y": [5, 6, -15, 7]},
            "row 3: box -3, -15, 11, 15: outside its image of 99 x 99",
        ),
    ],
)
def test_wrong_rows(tmp_path: Path, suffix: str, change: dict[str, object], message: str) -> None:
    path = write(tmp_path / f"boxes.{suffix}", **change)
    with pytest.raises(DataError, match=rf"boxes\.{suffix}: {message}") as refused:
        read_boxes(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("x", ["1", "2", "3", "4"], "column x: expected numbers, found string$"),
        ("w", [True, True, True, True], "column w: expected numbers, found bool$"),
        ("image", [["a.jpg"]] * 4, "column image: expected names, found list"),
    ],
)
def test_columns_of_another_type(tmp_path: Path, column: str, values: list[object], found: str) -> None:
    pq.write_table(pa.table({**ROWS, column: values}), tmp_path / "boxes.parquet")
    with pytest.raises(DataError, match=rf"boxes\.parquet: {found}"):
        read_boxes(tmp_path / "boxes.parquet")


def test_a_size_that_is_not_known_excludes_nothing(tmp_path: Path) -> None:
    table = read_boxes(write(tmp_path / "boxes.csv", width=[None] * 4, height=[None] * 4, x=[1e6] * 4))
    assert len(table) == 4


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, message in {
        "boxes.txt": r"expected boxes in \.parquet, \.csv, COCO's \.json, or a folder of keypoint shards",
        "none.csv": "no such file",
        "bad.parquet": "not a Parquet file",
        "bad.csv": "not a CSV file with a header",
        "bad.json": "not valid JSON",
        ".": "no detection run lies here",
    }.items():
        if name.startswith("bad"):
            (tmp_path / name).write_bytes(b"" if name.endswith("csv") else b"nothing")
        with pytest.raises(DataError, match=message) as refused:
            read_boxes(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_images_that_are_not_in_the_folder(tmp_path: Path) -> None:
    table = read_boxes(write(tmp_path / "boxes.csv", image=["a", "b", "b", "c"]))
    assert table.images_absent(["a", "b", "c", "d"], Path("photographs")) == 0
    assert table.images_absent({"a", "z"}, Path("photographs")) == len(list(table)) - 1
    message = r"boxes\.csv: row 1: image 'a': not among the 1 images in photographs, nor .* such as 'z/a\.jpg'"
    with pytest.raises(DataError, match=message):
        table.images_absent({"z/a.jpg"}, Path("photographs"))


def test_the_boxes_of_keypoint_shards(collection) -> None:
    arrays = to_arrays(read_keypoints(collection.shards))
    table = read_boxes(collection.shards)
    assert len(table) == 6
    found = table.of("ü b/c.png")
    assert [box.hand for box in found] == ["right", "right", "left"]
    np.testing.assert_array_equal([box.box.as_array() for box in found], arrays.boxes[3:])
    one = read_boxes(collection.shards / "part-00000.parquet")
    assert (len(one), one.of("sub/a.png")) == (3, table.of("sub/a.png"))
    assert table.sha256 == sha256_file(collection.shards / "manifest.json")


def test_no_boxes_at_all(tmp_path: Path) -> None:
    nothing = pa.table(
        {name: pa.array([], pa.string() if name == "image" else pa.float64()) for name in list(ROWS)[:5]}
    )
    pq.write_table(nothing, tmp_path / "boxes.parquet")
    assert len(read_boxes(tmp_path / "boxes.parquet")) == 0
    (tmp_path / "boxes.csv").write_text("image,x,y,w,h\n")
    assert len(read_boxes(tmp_path / "boxes.csv")) == 0
    write_json(tmp_path / "boxes.json", {"images": [], "annotations": [], "categories": []})
    assert read_boxes(tmp_path / "boxes.json").of("a.jpg") == ()


def coco(path: Path, *annotations: dict[str, object], size: tuple[int, int] = (100, 100)) -> Path:
    value = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": size[0], "height": size[1]}],
        "annotations": [{"id": 70 + index, "image_id": 5, **one} for index, one in enumerate(annotations)],
        "categories": [{"id": 1, "name": "hand"}, {"id": 2, "name": "Left hand"}, {"id": 3, "name": "left or right"}],
    }
    write_json(path, value)
    return path


def test_coco(tmp_path: Path) -> None:
    """Which hand it is says the attribute, or the category's name unless it names both, or nothing."""
    path = coco(
        tmp_path / "boxes.json",
        {"category_id": 1, "bbox": [1, 2, 3, 4]},
        {"category_id": 2, "bbox": [5, 6, 7, 8]},
        {"category_id": 3, "bbox": [5, 6, 7, 8], "attributes": {"hand": "left"}},
        {"category_id": 3, "bbox": [9, 10.5, 11, 12]},
    )
    boxes = read_boxes(path).of("a.jpg")
    assert [box.hand for box in boxes] == ["right", "left", "left", "right"]
    assert boxes[3].box == Box(9, 10.5, 11, 12)


def test_coco_wholebody(tmp_path: Path) -> None:
    """Its `bbox` is a person's: the hands' boxes count, and only those that are valid."""
    nothing = [0.0, 0.0, 0.0, 0.0]
    one = {"lefthand_box": [1, 2, 3, 4], "righthand_box": nothing, "righthand_valid": False}
    both = {"lefthand_box": [5, 6, 7, 8], "lefthand_valid": True, "righthand_box": [9, 8, 7, 6]}
    blurred = {"lefthand_box": [5, 6, 7, 8], "lefthand_valid": False, "righthand_box": nothing}
    people = [{"category_id": 1, "bbox": [0, 0, 90, 90], **hands} for hands in (one, both, blurred)]
    assert read_boxes(coco(tmp_path / "boxes.json", *people)).of("a.jpg") == (
        HandBox(Box(1, 2, 3, 4), "left"),
        HandBox(Box(9, 8, 7, 6), "right"),
        HandBox(Box(5, 6, 7, 8), "left"),
    )


def test_coco_boxes_of_no_size_are_passed_over(tmp_path: Path) -> None:
    """The row that is refused is still the annotation's own, and so is the one whose image is not there."""
    none = [{"bbox": [0, 0, 0, 0]}, {"bbox": [5, 5, 0, 9]}, {"lefthand_box": [0, 0, 0, 0]}]
    table = read_boxes(coco(tmp_path / "boxes.json", *none, {"bbox": [1, 2, 3, 4]}))
    assert table.of("a.jpg") == (HandBox(Box(1, 2, 3, 4), "right"),)
    with pytest.raises(DataError, match=r"boxes\.json: annotation 73: image 'a\.jpg': not among"):
        table.images_absent({"b.jpg"}, Path("photographs"))
    with pytest.raises(DataError, match=r"boxes\.json: annotation 73: expected w and h above 0, found 1, 2, 3, -4"):
        read_boxes(coco(tmp_path / "boxes.json", *none, {"bbox": [1, 2, 3, -4]}))
    assert len(read_boxes(coco(tmp_path / "boxes.json", *none))) == 0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"width": "100"}, "annotation 1: width of its image: expected numbers, found '100'"),
        ({"file_name": "\ud800.jpg"}, r"file_name: expected text, found '\\ud800\.jpg'"),
        ({"id": [5]}, r"image no\. 1 of the list: id: expected a number or text, found \[5\]"),
    ],
)
def test_wrong_coco_images(tmp_path: Path, image: dict[str, object], message: str) -> None:
    annotation = {"id": 1, "image_id": 5, "bbox": [1, 2, 3, 4]}
    value = {"images": [{"id": 5, "file_name": "a.jpg", **image}], "annotations": [annotation], "categories": []}
    (tmp_path / "boxes.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=rf"boxes\.json: {message}"):
        read_boxes(tmp_path / "boxes.json")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_csv_file_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "boxes.csv").write_text("image,x,y,w,h,händ\na.jpg,1,2,3,4,left\n", encoding)
    with pytest.raises(DataError, match=r"boxes\.csv: expected a CSV file in UTF-8, found another encoding"):
        read_boxes(tmp_path / "boxes.csv")


def test_a_csv_file_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("image,x,y,w,h\nü.jpg,1,2,3,4\n", "utf-8-sig")
    assert len(read_boxes(tmp_path / "boxes.csv").of("ü.jpg")) == 1


@pytest.mark.parametrize("name", ["coco", "coco-wholebody"])
def test_our_own_exports_are_boxes(collection, tmp_path: Path, name: str) -> None:
    export_keypoints(collection.shards, tmp_path / "l.json", name)
    before, after = read_boxes(collection.shards), read_boxes(tmp_path / "l.json")
    assert set(after) == set(before)
    for image in before:
        assert [box.hand for box in after.of(image)] == [box.hand for box in before.of(image)]
        for one, other in zip(after.of(image), before.of(image), strict=True):
            np.testing.assert_array_equal(one.box.as_array(), other.box.as_array())


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({}, "annotation 70: bbox: expected x, y, w, h, found None"),
        ({"bbox": [1, 2, 3]}, "annotation 70: bbox: expected x, y, w, h"),
        ({"bbox": [1, 2, "3", 4]}, "annotation 70: bbox: expected numbers, found '3'"),
        ({"bbox": [1, 2, None, 4]}, "annotation 70: bbox: expected x, y, w, h, found"),
        ({"bbox": [1, 2, 10**400, 4]}, "annotation 70: bbox: expected numbers, found 10"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 70: expected w and h above 0, found 1, 2, -3, 4"),
        ({"bbox": [1, 2, -3, 4], "id": None}, "annotation no. 1 of the list: expected w and h above 0"),
        ({"lefthand_box": [1, 2, 3, -4]}, "annotation 70: expected w and h above 0, found 1, 2, 3, -4"),
        ({"bbox": [100, 2, 3, 4]}, "annotation 70: box 100, 2, 3, 4: outside its image of 100 x 100"),
        ({"bbox": [1, 2, 3, 4], "image_id": 6}, "annotation 70: image_id 6 is not among the images"),
        ({"bbox": [1, 2, 3, 4], "image_id": [5]}, r"annotation 70: image_id \[5\] is not among the images"),
        ({"bbox": [1, 2, 3, 4], "category_id": [1]}, "annotation 70: category_id: expected a number or text, found"),
        ({"bbox": [1, 2, 3, 4], "hand": 1}, "annotation 70: hand: expected right or left, found 1"),
    ],
)
def test_wrong_coco(tmp_path: Path, annotation: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=rf"boxes\.json: {message}"):
        read_boxes(coco(tmp_path / "boxes.json", annotation))


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_million_rows_load_in_seconds(tmp_path: Path, suffix: str) -> None:
    count = 1_000_000
    numbers = pa.array(np.arange(count) % 977 + 1)
    images = pa.array([f"folder/{number // 2:07d}.jpg" for number in range(count)])
    table = pa.table({"image": images, "x": numbers, "y": numbers, "w": numbers, "h": numbers})
    path = tmp_path / f"boxes.{suffix}"
    pq.write_table(table, path) if suffix == "parquet" else pa.csv.write_csv(table, path)
    started = time.process_time()
    boxes = read_boxes(path)
    assert time.process_time() - started < 20
    assert boxes.of("folder/0499999.jpg")[1].box == Box(*[float((count - 1) % 977 + 1)] * 4)
