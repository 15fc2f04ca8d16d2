"""A project whose run is reported: which of its files are there, and what stands in the small ones."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2hand.datasets.files import DataError, read_json


@dataclass(frozen=True)
class Project:
    """A folder laid out as `layout.py` says; not every file need be there. `name` says which one it is to readers."""

    root: Path
    name: str

    def find(self, relative: Path | str) -> Path | None:
        """Return where a file or folder of the project lies, or None if it is not there."""
        path = self.root / relative
        return path if path.exists() else None

    def json(self, relative: Path | str) -> Any:
        """Return what a JSON file holds, None if it is not there. Raises DataError where it is broken."""
        path = self.find(relative)
        return None if path is None else read_json(path)

    def columns(self, relative: Path | str) -> dict[str, list[Any]] | None:
        """Return a CSV file's columns by name: numbers where all cells are (empty: NaN), else text.

        None if the file is not there. Raises DataError where a row has not as many cells as the head.
        """
        path = self.find(relative)
        if path is None:
            return None
        with path.open(newline="", encoding="utf-8") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        for number, row in enumerate(rows, 2):
            if len(row) != len(head):
                raise DataError(f"{path}: line {number}: expected {len(head)} cells, found {len(row)}; make it anew")
        return {name: _numbers([row[n] for row in rows]) for n, name in enumerate(head)}


def _numbers(cells: list[str]) -> list[Any]:
    try:
        return [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return cells
