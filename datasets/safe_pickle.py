"""Read arrays out of a pickle that may be hostile: nothing that the file names is ever run.

The licensed hand model comes as a Python 2 pickle of NumPy arrays, SciPy sparse matrices and `chumpy`
objects, and `pickle.load` would run whatever such a file asks for. Here every class or function that a pickle
may name is replaced by a *stand-in*, a class of ours that only stores what it is given; anything not in the
table is refused by name. After the last byte the stored records become plain NumPy arrays, each
checked: a numeric dtype, a shape, and exactly as many bytes as both ask for (so no arrays of objects).

Formats: pickle protocols 0 to 5; `ndarray.__reduce__` of NumPy 1 and 2; the state of scipy's `csc_matrix` and
`csr_matrix`; of chumpy, `Ch` (a constant) and `Select` (`a.x.ravel()[idxs].reshape(preferred_shape)`).
"""

import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from s2hand.datasets.files import one_line
from s2hand.datasets.plain_arrays import (
    BrokenPickleError,
    UnsafePickleError,
    array_from_bytes,
    as_bytes,
    as_shape,
    dense_from_sparse,
    numeric_dtype,
    select_elements,
)

__all__ = ["HAND_MODEL_CLASSES", "NUMPY_CLASSES", "BrokenPickleError", "Standin", "UnsafePickleError", "safe_load"]

MAX_DEPTH = 32

Plain = Callable[[object], Any]


class Standin:
    """A named object of the pickle: it keeps its constructor's arguments and its state, and does nothing."""

    __slots__ = ("arguments", "state")
    arguments: tuple[Any, ...]
    state: object

    def __new__(cls, *arguments: object) -> "Standin":
        """Keep the arguments here, since a pickle may call `__new__` without `__init__`."""
        made = super().__new__(cls)
        made.arguments = arguments
        made.state = None
        return made

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        """Store the state as it comes; the default would set attributes on the object or its class."""
        self.state = state

    def value(self, plain: Plain) -> object:
        """What the object stands for, made of plain Python and NumPy; `plain` converts what it holds."""
        raise NotImplementedError

    def fields(self) -> dict[object, object]:
        """The state as a dictionary of attributes."""
        if not isinstance(self.state, dict):
            raise BrokenPickleError(f"{type(self).__name__} has no attributes")
        return self.state


class Dtype(Standin):
    """`numpy.dtype(name, align, copy)` with the state (version, byte order, ...)."""

    def value(self, plain: Plain) -> object:
        """The dtype, if it is a number's."""
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else None
        return numeric_dtype(self.arguments[0], order)


class Array(Standin):
    """`_reconstruct(ndarray, (0,), 'b')` with the state (version, shape, dtype, column-major, bytes)."""

    def value(self, plain: Plain) -> object:
        """The array."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise BrokenPickleError("an array has no state (version, shape, dtype, order, bytes)")
        _, shape, dtype, column_major, data = self.state
        return array_from_bytes(plain(data), plain(dtype), shape, bool(column_major))


class ArrayFromBuffer(Standin):
    """`_frombuffer(buffer, dtype, shape, order)`: NumPy's form from protocol 5 on."""

    def value(self, plain: Plain) -> object:
        """The array."""
        buffer, dtype, shape, order = self.arguments
        return array_from_bytes(plain(buffer), plain(dtype), shape, order == "F")


class Scalar(Standin):
    """`scalar(dtype, bytes)`: one NumPy number."""

    def value(self, plain: Plain) -> object:
        """The number."""
        dtype, data = self.arguments
        return array_from_bytes(plain(data), plain(dtype), (), False)[()]


class Encoded(Standin):
    """`_codecs.encode(text, 'latin1')` or `bytes()`: how Python 3 writes bytes up to protocol 2."""

    def value(self, plain: Plain) -> object:
        """The bytes."""
        return as_bytes(self.arguments[0]) if self.arguments else b""


class Set(Standin):
    """`set(list)`: chumpy's notes to itself."""

    def value(self, plain: Plain) -> object:
        """A frozen set."""
        return frozenset(plain(*self.arguments)) if self.arguments else frozenset()


class Ndarray(Standin):
    """The class `numpy.ndarray`, which a pickle only passes on as an argument."""

    def value(self, plain: Plain) -> object:
        """Never made on its own."""
        raise BrokenPickleError("an array was made without its contents")


class SparseColumns(Standin):
    """`csc_matrix`."""

    by_column = True

    def value(self, plain: Plain) -> object:
        """The matrix as a dense array."""
        fields = plain(self.fields())
        shape = as_shape(fields.get("_shape", fields.get("shape")))
        return dense_from_sparse(fields, shape, self.by_column)


class SparseRows(SparseColumns):
    """`csr_matrix`."""

    by_column = False


class ChumpyConstant(Standin):
    """`chumpy.ch.Ch`: an array under the name x."""

    def value(self, plain: Plain) -> object:
        """The array."""
        return plain(self.fields()["x"])


class ChumpySelect(Standin):
    """`chumpy.reordering.Select`: some elements of another array, in a shape of their own."""

    def value(self, plain: Plain) -> object:
        """The chosen elements."""
        fields = self.fields()
        return select_elements(plain(fields["a"]), plain(fields["idxs"]), as_shape(fields["preferred_shape"]))


Allowed = Mapping[tuple[str, str], type[Standin]]


def _both(modules: Iterable[str], name: str, standin: type[Standin]) -> dict[tuple[str, str], type[Standin]]:
    return {(module, name): standin for module in modules}


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
NUMPY_CLASSES: Allowed = {
    ("numpy", "ndarray"): Ndarray,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): Encoded,
    **_both(_MULTIARRAY, "_reconstruct", Array),
    **_both(_MULTIARRAY, "scalar", Scalar),
    **_both(("numpy.core.numeric", "numpy._core.numeric"), "_frombuffer", ArrayFromBuffer),
    **_both(("__builtin__", "builtins"), "bytes", Encoded),
}
"""What a pickle of NumPy arrays and numbers may name."""

HAND_MODEL_CLASSES: Allowed = {
    **NUMPY_CLASSES,
    **_both(("__builtin__", "builtins"), "set", Set),
    **_both(("scipy.sparse.csc", "scipy.sparse._csc"), "csc_matrix", SparseColumns),
    **_both(("scipy.sparse.csr", "scipy.sparse._csr"), "csr_matrix", SparseRows),
    ("chumpy.ch", "Ch"): ChumpyConstant,
    ("chumpy.reordering", "Select"): ChumpySelect,
}
"""What the licensed hand model may name besides."""


def safe_load(source: Path | bytes, allowed: Allowed = HAND_MODEL_CLASSES) -> Any:
    """Read a pickle and return plain Python containers, strings, numbers and NumPy arrays.

    `allowed` says which names the pickle may mention and the stand-in for each. Python 2 strings are read as
    latin1. Raises UnsafePickleError with the name of the first class or function that is not allowed,
    BrokenPickleError for a truncated or malformed file (both are ValueErrors), OSError if it can't be read.
    """
    where = str(source) if isinstance(source, Path) else "pickle"
    data = source.read_bytes() if isinstance(source, Path) else source
    try:
        return _ToPlain()(_Reader(data, allowed).load())
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{where}: {error}; nothing was run") from None
    except BrokenPickleError as error:
        raise BrokenPickleError(f"{where}: {error}") from None
    except Exception as error:
        # A malformed stream can fail inside the unpickler in almost any way: EOFError, IndexError, TypeError.
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise BrokenPickleError(f"{where}: not a complete pickle ({reason})") from error


class _Reader(pickle.Unpickler):
    """An unpickler that finds stand-ins only."""

    def __init__(self, data: bytes, allowed: Allowed) -> None:
        # Names are left as the file writes them, so that the table shows what it admits.
        super().__init__(io.BytesIO(data), fix_imports=False, encoding="latin1")
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> type[Standin]:
        standin = self._allowed.get((module, name))
        if standin is None:
            raise UnsafePickleError(f"refused {module}.{name}, which is not on the list of harmless classes")
        return standin


class _ToPlain:
    """Convert a tree of containers and stand-ins; shared nodes once, cycles and deep nesting refused."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[object, object]] = {}
        self._open: set[int] = set()

    def __call__(self, node: object) -> Any:
        if node is None or isinstance(node, (bool, int, float, str, bytes, bytearray)):
            return node
        if id(node) in self._done:
            return self._done[id(node)][1]
        if id(node) in self._open or len(self._open) >= MAX_DEPTH:
            raise BrokenPickleError(f"objects refer to themselves or nest deeper than {MAX_DEPTH}")
        self._open.add(id(node))
        value = self._convert(node)
        self._open.remove(id(node))
        self._done[id(node)] = (node, value)  # the node is kept alive, else its id may be used again
        return value

    def _convert(self, node: object) -> object:
        if isinstance(node, Standin):
            return node.value(self)
        if isinstance(node, dict):
            return {self._key(key): self(value) for key, value in node.items()}
        if isinstance(node, (list, tuple)):
            return type(node)(self(value) for value in node)
        if isinstance(node, (set, frozenset)):
            return frozenset(self(value) for value in node)
        raise UnsafePickleError(f"refused an object of type {type(node).__name__}")

    def _key(self, key: object) -> object:
        if isinstance(key, (str, bytes, int, float)):
            return key
        raise BrokenPickleError(f"a dictionary has a key of type {type(key).__name__}: expected text")
