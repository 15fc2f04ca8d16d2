"""Pickles as Python 2 and NumPy 1 wrote them (protocol 2): text is a string of bytes, an array's content too."""

import struct
from typing import Any

import numpy as np


def python2_pickle(value: Any) -> bytes:
    """Pickle dictionaries, lists, tuples of up to three, text, numbers, None and arrays."""
    return b"\x80\x02" + _coded(value) + b"."


def _coded(value: Any) -> bytes:
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, (str, bytes)):
        data = value.encode("latin1") if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(data)) + data
    if isinstance(value, tuple):
        return b"".join(map(_coded, value)) + {1: b"\x85", 2: b"\x86", 3: b"\x87"}[len(value)]
    if isinstance(value, list):
        return b"](" + b"".join(map(_coded, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(_coded(key) + _coded(item) for key, item in value.items()) + b"u"
    if isinstance(value, np.ndarray):
        return _array(value)
    raise TypeError(f"no Python 2 pickle of {type(value).__name__}")


def _array(array: np.ndarray[Any, Any]) -> bytes:
    shape = b"(" + b"".join(map(_coded, array.shape)) + b"t"
    order = "<" if array.dtype.itemsize > 1 else "|"
    dtype = b"cnumpy\ndtype\n" + _coded((array.dtype.str[1:], 0, 1)) + b"R"
    dtype += b"(" + b"".join(map(_coded, (3, order, None, None, None, -1, -1, 0))) + b"tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + _coded((0,)) + _coded("b") + b"\x87R"
    state = _coded(1) + shape + dtype + _coded(False) + _coded(array.tobytes())
    return made + b"(" + state + b"tb"
