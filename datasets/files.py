"""Files that are never half-written, and digests that tell one content from another."""

import hashlib
import importlib.util
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL_SUFFIX = ".partial"
"""How the name of a file ends that is still being written. It also begins with a dot."""

_BLOCK = 1 << 20


class DataError(ValueError):
    """A file or folder is not what was expected; the message is one line for the user."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; put it in place when the block ends well, else remove it.

    The content is on disk (fsync) before the rename, so that after a kill or a power cut `path` holds the old
    content, the new content or nothing, but never a part. A killed process leaves its temporary file behind:
    `remove_partial_files` finds it. The folder must exist.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # that of a full disk does not say which file it met
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> list[str]:
    """Remove what killed writers left in `folder`, not below it; return the names.

    Call it only while nobody writes into the folder.
    """
    leftovers = sorted(Path(folder).glob(f".*{PARTIAL_SUFFIX}"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return [leftover.name for leftover in leftovers]


def one_line(error: Exception) -> str:
    """Return what an error says, without its line breaks."""
    return " ".join(str(error).split())


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of bytes in memory, in hex."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """SHA-256, in hex, of a JSON-able value; the order of an object's keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256_bytes(text.encode("utf-8", "surrogatepass"))


def source_digest(*packages: str, without: Collection[str] = ()) -> str:
    """SHA-256, in hex, over the Python files and assets of packages, by dotted name: which code it was that ran.

    `without` names files and folders, relative to their package, that are left out.
    """
    found = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None, package
        for folder in spec.submodule_search_locations or ():
            for path in Path(folder).rglob("*"):
                name = path.relative_to(folder)
                left_out = any(name.is_relative_to(part) for part in without)
                if not left_out and (path.suffix == ".py" or path.parent.name == "assets"):
                    found[f"{package}/{name.as_posix()}"] = sha256_file(path)
    return digest(found)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON-able value, readable and atomically. NaN is refused: it is not JSON."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read a JSON file; a missing, unreadable or broken one raises `DataError` that names it.

    `object_hook` makes something else of each object as soon as it is read.
    """
    path = Path(path)
    try:
        return json.loads(path.read_bytes(), object_hook=object_hook)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); restore the file") from error
