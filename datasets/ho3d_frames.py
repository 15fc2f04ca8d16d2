"""The frames of a split of HO-3D: the lines of `train.txt` or `evaluation.txt`, each with its image's file."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from s2hand.datasets.files import DataError

_LINE = re.compile(r"[^/\\]+/[^/\\]+")
_SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Frame:
    """A line of a split's list, and its files relative to the data set's folder."""

    folder: str  # train or evaluation
    sequence: str
    name: str
    image: str

    @property
    def meta(self) -> str:
        """The file of what is known about it."""
        return f"{self.folder}/{self.sequence}/meta/{self.name}.pkl"


def read_frames(root: Path, folder: str) -> list[Frame]:
    """Read the list of `folder`, train or evaluation, and look up each frame's image, .png or .jpg.

    Each sequence's images are listed once, instead of asking the disk for each of the 66,000.

    Raises:
        DataError: no list, an empty one, a line that is no SEQ/ID, images that are missing.
    """
    lines = _read_list(root / f"{folder}.txt")
    frames: list[Frame] = []
    missing: list[str] = []
    images: dict[str, Mapping[str, str]] = {}
    for sequence, name in lines:
        if sequence not in images:
            images[sequence] = _images(root / folder / sequence / "rgb")
        file = images[sequence].get(name)
        if file is None:
            missing.append(f"{folder}/{sequence}/rgb/{name}")
        else:
            frames.append(Frame(folder, sequence, name, f"{folder}/{sequence}/rgb/{file}"))
    if missing:
        count = f"{len(missing)} of the {len(lines)} images in {folder}.txt are not there"
        raise DataError(f"{root / missing[0]}: missing, as .png and as .jpg; {count}")
    return frames


def _read_list(path: Path) -> list[tuple[str, str]]:
    """The sequence and the frame of each line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected HO-3D's list of frames, a line SEQ/ID each") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text ({error}); restore the file") from error
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if not _LINE.fullmatch(text) or {".", ".."} & set(text.split("/")):
            raise DataError(f"{path}: line {number}: expected SEQ/ID, such as ABF10/0000, found {text[:60]!r}")
        sequence, name = text.split("/")
        found.append((sequence, name))
    if not found:
        raise DataError(f"{path}: expected a line SEQ/ID for each frame, found none; restore the file")
    return found


def _images(folder: Path) -> Mapping[str, str]:
    """The images' files by their names without the suffix; of two types, the PNG."""
    try:
        files = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise DataError(f"{folder}: can't be listed: {error.strerror}") from error
    split = (os.path.splitext(file) for file in files)
    return {stem: stem + suffix for stem, suffix in split if suffix.lower() in _SUFFIXES}
