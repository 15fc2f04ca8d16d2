"""The lines of docs/formats.md that open shards, run as they stand there."""

import re
from pathlib import Path

import pytest

from s2hand.datasets.keypoints import read_keypoints

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
(BLOCK,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
LINES = BLOCK.splitlines()


def test_the_document_names_the_three_libraries() -> None:
    assert {line.partition(".")[0] for line in LINES} == {"duckdb", "polars", "pandas", "s2hand"}


@pytest.mark.parametrize("line", LINES)
def test_a_line_opens_the_shards(collection, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, object] = {}
    exec("import glob, duckdb, pandas, polars, s2hand.datasets", names)
    monkeypatch.chdir(collection.shards.parent)
    table = eval(line, names)
    expected = read_keypoints(collection.shards)
    kept = [row for row in expected.to_pylist() if "left" not in line or row["hand"] == "left"]
    assert len(kept) == (3 if "left" in line else 6)
    assert column(table, "image") == [row["image"] for row in kept]
    if "wrist_x" in line:
        assert column(table, "wrist_x") == [row["keypoints"][0] for row in kept]
    else:
        assert [list(numbers)[:2] for numbers in column(table, "keypoints")] == [row["keypoints"][:2] for row in kept]


def column(table, name: str) -> list:
    if hasattr(table, "fetchall"):
        return [row[0] for row in table.project(name).fetchall()]
    return table[name].to_pylist() if hasattr(table[name], "to_pylist") else list(table[name])
