"""Build NumPy arrays from raw, untrusted parts: bytes, a dtype's name, a shape, sparse indices.

What `safe_pickle` has stored comes here. Every function checks that the parts agree before it allocates or
indexes anything; dtypes other than numbers are refused, since an array of objects can hold anything.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_ELEMENTS = 100_000_000  # 800 MB of float64: a hand model has 340,000
_NUMERIC = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


class UnsafePickleError(ValueError):
    """The pickle asks for something that is not on the list of harmless classes."""


class BrokenPickleError(ValueError):
    """The bytes are not a complete pickle of the kind that is expected here."""


def as_bytes(data: object) -> bytes:
    """The bytes of `data`; Python 2 strings arrive as text that was decoded as latin1."""
    if isinstance(data, str):
        return data.encode("latin1")
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise BrokenPickleError(f"expected the bytes of an array, found {type(data).__name__}")


def as_shape(shape: object) -> tuple[int, ...]:
    """`shape` as a tuple of whole numbers, with at most MAX_ELEMENTS elements in all."""
    if not isinstance(shape, Sequence) or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in shape):
        raise BrokenPickleError(f"expected a shape, found {repr(shape)[:80]}")
    sizes = tuple(int(n) for n in shape)
    if len(sizes) > 32 or math.prod(sizes) > MAX_ELEMENTS:
        raise BrokenPickleError(f"an array of shape {repr(sizes)[:80]} is larger than any hand model's")
    return sizes


def numeric_dtype(name: object, order: object) -> np.dtype[Any]:
    """The dtype called `name` ('f8', 'u4', ...) in the byte order '<' or '>'; refuses all but numbers."""
    text = name.decode("latin1") if isinstance(name, bytes) else name
    if not isinstance(text, str) or not _NUMERIC.fullmatch(text):
        raise UnsafePickleError(f"refused an array of dtype {repr(text)[:80]}: only numbers are read")
    dtype = np.dtype(text)
    return dtype.newbyteorder(order) if order in ("<", ">") else dtype


def array_from_bytes(data: object, dtype: object, shape: object, column_major: bool) -> NDArray[Any]:
    """An array of its own memory, in native byte order, from exactly as many bytes as it needs."""
    if not isinstance(dtype, np.dtype):
        raise BrokenPickleError(f"expected a dtype, found {type(dtype).__name__}")
    raw, sizes = as_bytes(data), as_shape(shape)
    if len(raw) != math.prod(sizes) * dtype.itemsize:
        raise BrokenPickleError(f"an array of shape {sizes} and dtype {dtype} has {len(raw)} bytes")
    flat = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
    return flat.reshape(sizes, order="F" if column_major else "C")


def dense_from_sparse(parts: Mapping[object, object], shape: tuple[int, ...], by_column: bool) -> NDArray[Any]:
    """The dense array of a compressed sparse matrix with the arrays data, indices and indptr.

    `by_column` is true for the CSC form, whose indptr delimits columns. Repeated entries add up. SciPy's own
    conversion does not check the indices against the shape and would write outside the array.
    """
    arrays = [parts.get(name) for name in ("data", "indices", "indptr")]
    if len(shape) != 2 or not all(isinstance(a, np.ndarray) and a.ndim == 1 for a in arrays):
        raise BrokenPickleError("a sparse matrix needs two dimensions and the arrays data, indices and indptr")
    data, indices, pointers = (np.asarray(a) for a in arrays)
    rows, columns = shape
    major, minor = (columns, rows) if by_column else (rows, columns)
    ends = pointers.astype(np.int64)
    lengths = ends[1:] - ends[:-1]
    if len(lengths) != major or lengths.min(initial=0) < 0 or pointers[0] != 0:
        raise BrokenPickleError(f"a sparse matrix of shape {shape} has a wrong indptr")
    if not len(data) == len(indices) == lengths.sum() or not _inside(indices, minor):
        raise BrokenPickleError(f"a sparse matrix of shape {shape} has wrong indices")
    dense = np.zeros((major, minor), data.dtype)
    np.add.at(dense, (np.repeat(np.arange(major), lengths), indices), data)
    return dense.T if by_column else dense


def select_elements(source: object, chosen: object, shape: tuple[int, ...]) -> NDArray[Any]:
    """`source.ravel()[chosen].reshape(shape)`, checked."""
    if not isinstance(source, np.ndarray) or not isinstance(chosen, np.ndarray):
        raise BrokenPickleError("a chumpy selection has no array to choose from")
    if chosen.size != math.prod(shape) or not _inside(chosen, source.size):
        raise BrokenPickleError(f"a chumpy selection of {chosen.size} elements does not fit the shape {shape}")
    picked: NDArray[Any] = source.ravel()[chosen.ravel()].reshape(shape)
    return picked


def _inside(indices: NDArray[Any], size: int) -> bool:
    if indices.dtype.kind not in "iu":
        return False
    return indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < size)
