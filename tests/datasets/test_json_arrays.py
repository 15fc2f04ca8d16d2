import io
import json
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets import json_arrays
from s2hand.datasets.files import DataError
from s2hand.datasets.json_arrays import load_json_lists, read_json_arrays


@pytest.fixture(params=[5, 13, 1000, 1777, 1 << 22])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read the file in pieces of so many characters: they end anywhere, also within a number."""
    monkeypatch.setattr(json_arrays, "_BLOCK", request.param)
    return int(request.param)


@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_are_those_of_the_json_module(tmp_path: Path, block: int, indent: int | None) -> None:
    values = np.random.default_rng(0).standard_normal((6, 21, 3))
    values[1] *= 1e-30
    (tmp_path / "a.json").write_text(json.dumps(values.tolist(), indent=indent))
    np.testing.assert_array_equal(read_json_arrays(tmp_path / "a.json", (21, 3)), values)


def test_numbers_of_all_forms(tmp_path: Path, block: int) -> None:
    (tmp_path / "a.json").write_text(" [ 1.5e-3 , 2 ,-3.25,1e10,4E+5\n,-0 ] \n")
    values = read_json_arrays(tmp_path / "a.json", ())
    assert values.tolist() == [1.5e-3, 2, -3.25, 1e10, 4e5, 0]


def test_no_items(tmp_path: Path, block: int) -> None:
    (tmp_path / "a.json").write_text(" [ ] ")
    assert read_json_arrays(tmp_path / "a.json", (3, 3)).shape == (0, 3, 3)


def test_another_type(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[[0.1], [0.2]]")
    assert read_json_arrays(tmp_path / "a.json", (1,), np.float32).dtype == np.float32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON .expected a list"),
        ("{}", "not valid JSON .expected a list"),
        ("[", "not valid JSON .item 0: "),
        ("[1,", "not valid JSON .item 1: "),
        ("[1,2", "not valid JSON .item 1: "),
        ("[1,]", "not valid JSON .item 1: "),
        ("[1 2]", "not valid JSON .item 0: "),
        ("[1,tru]", "not valid JSON .item 1: "),
        ("[1,2]]", "not valid JSON .more text after the list of 2 items"),
        ("[1,2] []", "not valid JSON .more text after"),
        ("[1,[2]]", r"item 1: expected finite numbers of shape \(\), found \[2\]"),
        ('[1,2,"a"]', r"item 2: expected finite numbers of shape \(\), found a"),
        ("[1,null]", "item 1: expected finite numbers"),
        ("[NaN]", "item 0: expected finite numbers"),
        ("[[1],[2,[3]]]", "item 0: expected finite numbers"),
    ],
)
def test_broken_files_are_named_with_the_item(tmp_path: Path, block: int, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json: {message}"):
        read_json_arrays(tmp_path / "a.json", ())


def test_the_item_is_counted_through_all_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "_BLOCK", 64)
    (tmp_path / "a.json").write_text(json.dumps([[1.0, 2.0]] * 100 + [[1.0]]))
    with pytest.raises(DataError, match="item 100: expected"):
        read_json_arrays(tmp_path / "a.json", (2,))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: no such file"):
        read_json_arrays(tmp_path / "a.json", ())
    with pytest.raises(DataError, match="can't be read"):
        read_json_arrays(tmp_path, ())
    (tmp_path / "a.json").write_bytes(b"[\xff]")
    with pytest.raises(DataError, match=r"a\.json: not valid JSON"):
        read_json_arrays(tmp_path / "a.json", ())


# --- several lists in one
# ---------------------------------------------------------------------------------------------------------------------

PAIR = {"joints": (2, 3), "vertices": (4, 3)}


def load(text: str) -> dict[str, np.ndarray]:
    return load_json_lists(io.StringIO(text), Path("pred.json"), PAIR)


@pytest.mark.parametrize("indent", [None, 2])
def test_lists_are_those_of_the_json_module(block: int, indent: int | None) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((5, *shape)) for name, shape in PAIR.items()}
    found = load(json.dumps([array.tolist() for array in values.values()], indent=indent))
    assert list(found) == list(PAIR)
    for name, array in values.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON list of 2 lists: joints, vertices; found ''"),
        ("no JSON", "expected a JSON list of 2 lists: joints, vertices; found 'no"),
        ('{"joints": []}', "expected a JSON list of 2 lists"),
        ("[1, 2]", "expected a JSON list of 2 lists: joints, vertices; found '1"),
        ("[[]]", "expected a JSON list of 2 lists: joints, vertices; found ']'"),
        ("[[], 3]", "expected a JSON list of 2 lists: joints, vertices; found '3]'"),
        ("[[], [], []]", r"expected a JSON list of 2 lists: joints, vertices; found ', \["),
        ("[[], []", "expected a JSON list of 2 lists: joints, vertices; found ''"),
        ("[[], []] 1", "not valid JSON .more text after the 2 lists"),
        ("[[[[1, 2, 3], [4, 5", "not valid JSON .item 0: "),
        ("[[[[1, 2, 3]]], []]", r"joints: item 0: expected finite numbers of shape \(2, 3\), found shape \(1, 3\)"),
        ("[[], [[[1, 2, 3]]]]", r"vertices: item 0: expected finite numbers of shape \(4, 3\), found shape \(1, 3\)"),
        ("[[[[1, 2, 3], [4, 5, NaN]]], []]", r"joints: item 0: expected .* found \[\[1, 2, 3\], \[4, 5, nan\]\]"),
        ('[["a"], []]', "joints: item 0: expected finite numbers .* found a"),
    ],
)
def test_broken_lists_are_named_with_the_list(block: int, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"pred\.json: {message}"):
        load(text)
