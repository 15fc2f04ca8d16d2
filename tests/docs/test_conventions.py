"""The tables of docs/conventions.md and docs/how-it-works.md say what the code says."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.crop_boxes import TRUSTED
from s2hand.datasets.skeleton import JOINT_NAMES, MANO_TO_OURS, PARENTS
from s2hand.train.hand_files import FACES, JOINTS, POSES, SHAPES, VERTICES, read_hand_file
from s2hand.train.mano import MANO_TIPS, OPEN_HAND, load_hand_model

ROOT = Path(__file__).parents[2]
CONVENTIONS = (ROOT / "docs" / "conventions.md").read_text("utf-8")
METHOD = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
ROWS = [line for line in METHOD.splitlines() if "][s2hand." in line and line.startswith("|")]


def cells(text: str, first: str) -> list[list[str]]:
    """The rows of all tables whose first cell matches."""
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in rows if re.fullmatch(first, row[0])]


def test_the_table_of_joints() -> None:
    rows = [(int(number), name, parent, int(mano)) for number, name, parent, mano in cells(CONVENTIONS, r"\d+")]
    parents = ["-" if parent < 0 else str(parent) for parent in PARENTS]
    assert rows == list(zip(range(21), JOINT_NAMES, parents, MANO_TO_OURS.tolist(), strict=True))


def test_the_table_of_fingertips() -> None:
    rows = {name: tuple(map(int, tips)) for name, *tips in cells(CONVENTIONS, "freihand|manopth|smplx|open")}
    assert rows == {**MANO_TIPS, "open": read_hand_file(OPEN_HAND).fingertips}


def test_the_sizes_and_how_a_hand_lies() -> None:
    assert f"{VERTICES} vertices, {FACES} faces, counter-clockwise from outside, {JOINTS} joints" in CONVENTIONS
    assert f"{SHAPES} shape and {POSES} pose numbers" in CONVENTIONS
    assert f"{TRUSTED} is where" in CONVENTIONS
    hand = load_hand_model("open", flat_hand_mean=True)
    knuckles = hand.rest_joints[[1, 4, 7]].numpy()  # index, middle, little: fingers along -x, thumb's side to +z
    assert np.argmax(np.abs(knuckles[1])) == 0
    assert knuckles[1, 0] < 0
    assert knuckles[0, 2] > knuckles[2, 2]


def definitions(path: Path) -> dict[str, str]:
    """Functions, classes, methods and values of a file, with their docstrings."""
    found = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
            found |= {f"{node.name}.{method.name}": ast.get_docstring(method) or "" for method in methods}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = ""
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_what_the_page_names_is_in_the_file_that_it_names(row: str) -> None:
    """And the docstring of an equation's function has the equation's number."""
    files = re.findall(r"`((?:datasets|detect|train|pipeline)/[\w/]+\.py)`", row)
    there: dict[str, str] = {}
    for file in files:
        there |= definitions(ROOT / file)
    equation = re.match(r"\| (\d+) \| .* \| `train/", row)
    for name in re.findall(r"\]\[s2hand\.([\w.]+)\]", row):
        tail = re.search(r"([A-Z]\w*\.)?\w+$", name)
        if not files:  # "the same" file as the row above
            continue
        assert tail is not None
        assert tail[0] in there, f"{name} is in none of {files}"
        if equation and name.startswith("train.losses"):
            assert re.search(rf"\bequation {equation[1]}\b", there[tail[0]]), f"{name}: equation {equation[1]}"


def test_every_equation_is_there() -> None:
    numbers = [int(row[2:].split(" ")[0]) for row in ROWS if re.match(r"\| \d+ \| .* \| `train/", row)]
    assert numbers == list(range(1, 12))


def test_the_files_that_change_it_names_are_there() -> None:
    page = (ROOT / "docs" / "change-it" / "index.md").read_text("utf-8")
    named = re.findall(r"`((?:datasets|detect|train|pipeline|tests)/[\w/.]*)`", page)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []
