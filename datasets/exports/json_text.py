"""Write large JSON files piece by piece. The text is ASCII, for readers that do not state an encoding."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode(value: object) -> str:
    """Return a value as compact JSON; ValueError for NaN."""
    return _ENCODER.encode(value)


def write_list(file: TextIO, items: Iterable[object]) -> None:
    """Write a list, an item a line, each as it comes."""
    before = "[\n"
    for item in items:
        file.write(before + encode(item))
        before = ",\n"
    file.write("[]" if before == "[\n" else "\n]")


def write_object(path: Path, members: Mapping[str, object]) -> None:
    """Write an object, member by member; one that is an iterator becomes a list, written as it comes."""
    with open(path, "w", encoding="ascii") as file:
        before = "{"
        for name, value in members.items():
            file.write(f"{before}{encode(name)}:")
            if isinstance(value, Iterator):
                write_list(file, value)
            else:
                file.write(encode(value))
            before = ",\n"
        file.write("}\n")
