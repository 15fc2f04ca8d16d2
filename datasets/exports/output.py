"""Where an export goes: refused if something else is there, complete when it appears."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from s2hand.datasets.files import PARTIAL_SUFFIX, DataError

LABEL_SUFFIX = "_keypoints.json"
"""How each file of a folder of labels ends, as OpenPose names them."""


def check_output(out: Path, folder: bool, overwrite: bool) -> None:
    """Make the folder that `out` lies in; `DataError` if `out` is in the way, or not to be replaced."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"{out.parent}: is a file or below one; expected a folder") from None
    if not os.path.lexists(out) or (folder and out.is_dir() and not any(out.iterdir())):
        return
    if out.is_dir() != folder:
        found, expected = ("a folder", "a file") if out.is_dir() else ("a file", "a folder")
        raise DataError(f"{out}: is {found}; this format writes {expected}; give another --out")
    if not overwrite:
        raise DataError(f"{out}: is there already; give another --out, or replace it with --overwrite")
    foreign = _foreign(out) if folder else None
    if foreign is not None:
        raise DataError(f"{foreign}: not of an earlier export (*{LABEL_SUFFIX}); {out} is kept: give another --out")


def _foreign(folder: Path) -> Path | None:
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(LABEL_SUFFIX):
                return Path(parent) / name
    return None


def remove_leftovers(out: Path) -> None:
    """Remove what killed exports to `out`, and to no other name, left beside it; no other may be writing there.

    An earlier export that was put aside is kept while nothing stands in its place.
    """
    aside = "(old)?" if os.path.lexists(out) else ""
    name = re.compile(rf"\.{re.escape(out.name)}\.{aside}[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}")
    for path in [path for path in out.parent.iterdir() if name.fullmatch(path.name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):  # another user's: the export itself says what is not allowed
                path.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; put it in place when the block ends well, else remove it."""
    temporary, old = (
        path.with_name(f".{path.name}.{what}{secrets.token_hex(4)}{PARTIAL_SUFFIX}") for what in ("", "old")
    )
    temporary.mkdir()
    try:
        yield temporary
        _swap(temporary, path, old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, path: Path, old: Path) -> None:
    if path.exists():
        os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        if old.exists():
            os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
