"""Read large JSON lists of equal arrays without holding their text, or a Python object per number, in memory.

FreiHAND's vertices are 1.5 GB of text for 76 million numbers: as Python objects they would take 5 GB.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from s2hand.datasets.files import DataError

_BLOCK = 1 << 22  # characters
_SPACE = " \t\r\n"
_LONGEST_CUT = 10  # characters of a number's beginning that the decoder may refuse when the rest is missing
_DECODER = json.JSONDecoder()


def read_json_arrays(path: Path, shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:  # [N, *shape]
    """Read a file that holds one JSON list whose items are nested lists of finite numbers, each of `shape`.

    Raises:
        DataError: the file is missing, is not valid JSON, or an item differs; the message names file and item.
    """
    with _named_errors(path), open(path, encoding="utf-8") as file:
        text = _Text(file, path)
        arrays = _arrays(text, str(path), shape, dtype)
        if text.mark():
            text.broken(f"more text after the list of {len(arrays)} items")
    return arrays


def load_json_lists(file: TextIO, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Read one JSON list of several lists, each as `read_json_arrays` reads one: by name, in the order of `shapes`.

    `file` is read to its end; `path` is what errors call it.

    Raises:
        DataError: it can't be read, is not valid JSON, has another number of lists, or an item differs.
    """
    expected = f"{path}: expected a JSON list of {len(shapes)} lists: {', '.join(shapes)}"
    found = {}
    with _named_errors(path):
        text = _Text(file, path)
        for position, (name, shape) in enumerate(shapes.items()):
            text.take("," if position else "[", expected)
            text.require("[", expected)
            found[name] = _arrays(text, f"{path}: {name}", shape, np.float64)
        text.take("]", expected)
        if text.mark():
            text.broken(f"more text after the {len(shapes)} lists")
    return found


class _Text:
    """JSON text that is read piece by piece, with no more than a block or two in memory."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._position = file.read(_BLOCK), 0

    def mark(self) -> str:
        """Return the next character that is no space, or "" at the end; it stays the next one."""
        self._position = _skip(self._text, self._position)
        while self._position == len(self._text) and self._more():
            self._position = _skip(self._text, self._position)
        return self._text[self._position : self._position + 1]

    def require(self, mark: str, problem: str) -> None:
        """Raise DataError with `problem` unless the next character is `mark`."""
        if self.mark() != mark:
            raise DataError(f"{problem}; found {self._text[self._position : self._position + 20]!r}")

    def take(self, mark: str, problem: str) -> None:
        """Go past the next character, which has to be `mark`."""
        self.require(mark, problem)
        self._position += 1

    def items(self) -> Iterator[Any]:
        """Yield the items of the list that begins here one by one, and go past its end."""
        if self.mark() != "[":
            self.broken("expected a list")
        self._position += 1
        mark, count = self.mark(), 0
        if mark == "]":
            self._position += 1
        while mark != "]":
            item, end, problem = _decode(self._text, self._position)
            if not problem:
                mark = self._text[end]
                self._position = end + 1
                yield item
                count += 1
            elif end < len(self._text) - _LONGEST_CUT or not self._more():  # more than cut by the end of the block
                self.broken(f"item {count}: {problem}")

    def broken(self, problem: str) -> NoReturn:
        """Raise the error of a file that is not JSON."""
        raise DataError(f"{self._path}: not valid JSON ({problem}); restore the file")

    def _more(self) -> bool:
        block = self._file.read(_BLOCK)
        self._text, self._position = self._text[self._position :] + block, 0
        return bool(block)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Name the file in the errors of opening, reading and decoding it."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not valid JSON ({error}); restore the file") from error


def _arrays(text: _Text, where: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Read the list that begins here."""
    blocks: list[NDArray[Any]] = []
    pending: list[Any] = []
    rows = max(1, _BLOCK // (32 * max(1, int(np.prod(shape)))))
    for item in text.items():
        pending.append(item)
        if len(pending) == rows:
            blocks.append(_stack(pending, shape, dtype, where, rows * len(blocks)))
            pending = []
    blocks.append(_stack(pending, shape, dtype, where, rows * len(blocks)))
    return np.concatenate(blocks)


def _decode(text: str, position: int) -> tuple[Any, int, str]:
    """Decode one value; return it, the place of the mark behind it or of the error, and what the error is."""
    try:
        item, end = _DECODER.raw_decode(text, _skip(text, position))
    except json.JSONDecodeError as error:
        return None, error.pos, error.msg
    end = _skip(text, end)
    return item, end, "" if text[end : end + 1] in (",", "]") else "Expecting ',' delimiter"


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _stack(items: list[Any], shape: tuple[int, ...], dtype: DTypeLike, where: str, first: int) -> NDArray[Any]:
    stacked = np.empty((len(items), *shape), dtype)
    for index, item in enumerate(items):
        try:
            array = np.asarray(item, np.float64)
        except (TypeError, ValueError, OverflowError):  # not numbers, nested unevenly, or too large
            array = np.array(np.nan)
        if array.shape != shape or not np.isfinite(array).all():
            found = f"shape {array.shape}" if array.ndim == len(shape) and array.shape != shape else str(item)[:60]
            raise DataError(f"{where}: item {first + index}: expected finite numbers of shape {shape}, found {found}")
        stacked[index] = array
    return stacked
