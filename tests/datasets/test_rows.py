import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.keypoints import to_arrays
from s2hand.datasets.rows import (
    SCHEMA,
    HandRow,
    Provenance,
    check_schema,
    keypoints_problem,
    package_version,
    rows_to_table,
)
from s2hand.datasets.skeleton import JOINT_NAMES

MakeRow = Callable[..., HandRow]


def test_the_schema_is_the_agreed_one() -> None:
    assert [(column.name, str(column.type)) for column in SCHEMA] == [
        ("image", "string"),
        ("sha256", "string"),
        ("width", "int32"),
        ("height", "int32"),
        ("hand", "string"),
        ("hand_index", "int16"),
        ("box", "fixed_size_list<element: float>[4]"),
        ("keypoints", "fixed_size_list<element: float>[63]"),
    ]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ((0, 0, 0), "expected NaN coordinates where the confidence is 0"),
        ((np.nan, 1, 0), "expected NaN coordinates where the confidence is 0"),
        ((np.nan, np.nan, 0.5), "expected finite coordinates where the confidence is above 0"),
        ((np.inf, 1, 0.5), "expected finite coordinates where the confidence is above 0"),
        ((1, 1, 1.5), r"confidences in \[0, 1\], found 1.5"),
        ((1, 1, -0.1), r"confidences in \[0, 1\]"),
        ((1, 1, np.nan), r"confidences in \[0, 1\], found nan"),
    ],
)
def test_rows_refuse_wrong_keypoints(
    hand_row: MakeRow, keypoints: NDArray[np.float32], values: tuple[float, ...], problem: str
) -> None:
    assert keypoints_problem(keypoints) is None
    keypoints = keypoints.copy()
    keypoints[7] = values
    with pytest.raises(ValueError, match=rf"a\.jpg: keypoints: .*{problem}"):
        hand_row(keypoints=keypoints)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hand", "Left"),
        ("width", 0),
        ("keypoints", np.zeros((20, 3), np.float32)),
        ("keypoints", np.ones((21, 3))),
    ],
)
def test_rows_check_themselves(hand_row: MakeRow, field: str, value: object) -> None:
    name = "size" if field == "width" else field
    with pytest.raises(ValueError, match=rf"a\.jpg: {name}: expected"):
        hand_row(**{field: value})


def test_rows_to_table_to_arrays(hand_row: MakeRow, keypoints: NDArray[np.float32]) -> None:
    rows = [hand_row(), hand_row(image="ä/漢 字.png", hand="left", hand_index=3)]
    table = rows_to_table(rows, {b"key": b"value"})
    assert table.schema.equals(SCHEMA)
    assert table.schema.metadata == {b"key": b"value"}
    assert sum(column.null_count for column in table.columns) == 0
    for cut in (table, pa.concat_tables([table.slice(0, 1), table.slice(1)])):
        arrays = to_arrays(cut)
        assert arrays.images == ["a.jpg", "ä/漢 字.png"]
        assert arrays.hands == ["right", "left"]
        assert arrays.sha256 == ["0" * 64] * 2
        assert arrays.hand_index.tolist() == [0, 3]
        assert arrays.sizes.tolist() == [[40, 30]] * 2
        assert arrays.boxes.tolist() == [[0, -5, 40, 40]] * 2
        np.testing.assert_array_equal(arrays.keypoints, np.stack([keypoints] * 2))
        assert arrays.keypoints.flags.writeable
    np.testing.assert_array_equal(to_arrays(table.slice(1)).keypoints, keypoints[None])


def test_an_empty_table() -> None:
    table = rows_to_table([], {})
    assert table.schema.equals(SCHEMA)
    arrays = to_arrays(table)
    assert arrays.images == []
    assert arrays.keypoints.shape == (0, 21, 3)
    assert arrays.boxes.shape == (0, 4)
    assert arrays.sizes.shape == (0, 2)


def test_provenance_there_and_back() -> None:
    provenance = Provenance("slim", "ab" * 32, {"scales": [0.5, 1.0], "näme": None}, "cd")
    assert provenance.version == package_version()
    value = json.loads(json.dumps(provenance.as_json()))
    assert Provenance.from_json(value, Path("m.json")) == provenance
    metadata = provenance.as_metadata()
    assert json.loads(metadata[b"joint_names"]) == list(JOINT_NAMES)
    assert json.loads(metadata[b"parameters"]) == {"scales": [0.5, 1.0], "näme": None}
    assert metadata[b"detector"] == b"slim"
    assert metadata[b"weights_sha256"] == b"ab" * 32


def test_provenance_of_others_is_refused() -> None:
    value = Provenance("slim", "ab", {}, "cd").as_json()
    with pytest.raises(DataError, match=r"m\.json: joint_names: expected"):
        Provenance.from_json({**value, "joint_names": ["wrist"]}, Path("m.json"))
    del value["detector"]
    with pytest.raises(DataError, match=r"m\.json: does not say .*detector"):
        Provenance.from_json(value, Path("m.json"))


def test_a_foreign_schema_is_refused_by_column() -> None:
    check_schema(SCHEMA.with_metadata({"a": "b"}), Path("a.parquet"))
    wrong = SCHEMA.set(2, pa.field("width", pa.int64(), nullable=False))
    with pytest.raises(DataError, match=r"a\.parquet: .*column width: expected int32, found int64; run"):
        check_schema(wrong, Path("a.parquet"))
    with pytest.raises(DataError, match=r"column keypoints: expected .*, found no such column"):
        check_schema(SCHEMA.remove(7), Path("a.parquet"))
    with pytest.raises(DataError, match="expected the columns"):
        check_schema(SCHEMA.append(pa.field("more", pa.int8())), Path("a.parquet"))
