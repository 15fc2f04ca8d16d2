"""Read a large JSON list of equal arrays without holding its text, or a Python object per number, in memory.

FreiHAND's vertices are 1.5 GB of text for 76 million numbers: as Python objects they would take 5 GB.
"""

import json
from collections.abc import Iterator
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
    blocks: list[NDArray[Any]] = []
    pending: list[Any] = []
    rows = max(1, _BLOCK // (32 * max(1, int(np.prod(shape)))))
    try:
        with open(path, encoding="utf-8") as file:
            for item in _items(file, path):
                pending.append(item)
                if len(pending) == rows:
                    blocks.append(_stack(pending, shape, dtype, path, rows * len(blocks)))
                    pending = []
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not valid JSON ({error}); restore the file") from error
    blocks.append(_stack(pending, shape, dtype, path, rows * len(blocks)))
    return np.concatenate(blocks)


def _items(file: TextIO, path: Path) -> Iterator[Any]:
    """Yield the items of the list one by one, with no more than the text of a block or two in memory."""
    text = file.read(_BLOCK)
    position, count = _skip(text, 0), 0
    if text[position : position + 1] != "[":
        _broken(path, "expected a list")
    position = _skip(text, position + 1)
    mark = text[position : position + 1]
    if mark == "]":
        position += 1
    while mark != "]":
        item, end, problem = _decode(text, position)
        mark = "" if problem else text[end]
        if mark:
            yield item
            count += 1
            position = end + 1
        elif end < len(text) - _LONGEST_CUT or not (block := file.read(_BLOCK)):
            _broken(path, f"item {count}: {problem}")
        else:  # only cut by the end of the block
            text, position = text[position:] + block, 0
    if (text[position:] + file.read(_BLOCK)).strip(_SPACE):
        _broken(path, f"more text after the list of {count} items")


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


def _stack(items: list[Any], shape: tuple[int, ...], dtype: DTypeLike, path: Path, first: int) -> NDArray[Any]:
    stacked = np.empty((len(items), *shape), dtype)
    for index, item in enumerate(items):
        try:
            array = np.asarray(item, np.float64)
        except (TypeError, ValueError):  # not numbers, or nested unevenly
            array = np.empty(0)
        if array.shape != shape or not np.isfinite(array).all():
            where = f"{path}: item {first + index}"
            raise DataError(f"{where}: expected finite numbers of shape {shape}, found {str(item)[:60]}")
        stacked[index] = array
    return stacked


def _broken(path: Path, problem: str) -> NoReturn:
    raise DataError(f"{path}: not valid JSON ({problem}); restore the file")
