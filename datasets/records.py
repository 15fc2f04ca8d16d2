"""What a reader of raw data gives: one record per photograph, whatever the data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar, get_args, overload

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, intrinsics_from_focal_length, intrinsics_from_fov
from s2hand.datasets.focal_length import focal_length_of

Hand = Literal["right", "left"]
Split = Literal["training", "evaluation"]

HANDS: tuple[Hand, ...] = get_args(Hand)
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, eq=False)
class Intrinsics:
    """A camera's K, and in words where it comes from."""

    K: NDArray[np.float64]  # [3, 3], continuous pixels
    source: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """One photograph of one hand and what its data set says about it. Only what is known is there.

    The camera is known as `K`, or said by the photograph's file (`exif`), or assumed as `fov_degrees`; `intrinsics`
    takes the first of these that is there.
    """

    image: str  # path relative to the data set's folder of images, `/` separators
    path: Path  # the file
    hand: Hand
    K: NDArray[np.float64] | None = None  # [3, 3], continuous pixels
    fov_degrees: float | None = None  # assumed angle across the longer side
    K_source: str = "unknown"  # of K, in words
    exif: bool = False  # whether a focal length in the file is believed
    mask: Path | None = None
    joints_cam: NDArray[np.float64] | None = None  # [21, 3] metres, our joint order
    vertices_cam: NDArray[np.float64] | None = None  # [778, 3] metres
    wrist_cam: NDArray[np.float64] | None = None  # [3] metres, where a data set gives the wrist alone
    mano: NDArray[np.float64] | None = None  # [61] FreiHAND's: pose 48, shape 10, root u, v in pixels, scale
    scale: float | None = None  # metres, FreiHAND's: length of the middle finger's first bone
    box: Box | None = None  # where the hand is, pixels

    def __post_init__(self) -> None:
        if self.hand not in HANDS:
            raise ValueError(f"{self.image}: hand: expected right or left, found {self.hand!r}")
        shapes = {"K": (3, 3), "joints_cam": (21, 3), "vertices_cam": (778, 3), "wrist_cam": (3,), "mano": (61,)}
        for field, shape in shapes.items():
            value = getattr(self, field)
            if value is not None and (value.shape != shape or not np.isfinite(value).all()):
                raise ValueError(f"{self.image}: {field}: expected {shape} finite numbers, found shape {value.shape}")

    def intrinsics(self, width: int, height: int) -> Intrinsics:
        """Return the camera of the picture of `width` x `height` pixels: K, else by Exif, else by the field of view.

        Raises ValueError where none is known, OSError where the file should say and can't be read.
        """
        if self.K is not None:
            return Intrinsics(self.K, self.K_source)
        focal = focal_length_of(self.path) if self.exif else None
        if focal is not None:
            return Intrinsics(intrinsics_from_focal_length(width, height, focal.pixels), focal.source)
        if self.fov_degrees is None:
            raise ValueError(f"{self.image}: neither K nor a field of view is known; give the camera's K")
        assumed = f"assumed field of view of {self.fov_degrees:g} degrees"
        return Intrinsics(intrinsics_from_fov(width, height, self.fov_degrees), assumed)


class Dataset(Protocol):
    """A raw data set: named, in one folder, in two splits. Nobody but its reader asks which it is."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    @property
    def root(self) -> Path:
        """The folder that the records' `image` paths are relative to."""

    def records(self, split: Split) -> Sequence[Record]:
        """Return the records of a split, in a fixed order; each is made when it is asked for."""

    def left_out(self, split: Split) -> Mapping[str, str]:
        """Return which images that the data set lists for a split are no records, and why."""


T_co = TypeVar("T_co", covariant=True)


class Lazy(Sequence[T_co]):
    """A sequence whose items are made on access: `Lazy(length, make)[i]` is `make(i)`."""

    def __init__(self, length: int, make: Callable[[int], T_co]) -> None:
        self._range = range(length)
        self._make = make

    def __len__(self) -> int:
        return len(self._range)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Lazy[T_co]": ...
    def __getitem__(self, index: int | slice) -> "T_co | Lazy[T_co]":
        if isinstance(index, slice):
            chosen = self._range[index]
            return Lazy(len(chosen), lambda position: self._make(chosen[position]))
        return self._make(self._range[index])
