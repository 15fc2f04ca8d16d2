"""The pieces that scenes are put together from, as `s2hand scenes` writes them (its module says which files)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, digest, read_json, sha256_bytes
from s2hand.datasets.records import Split
from s2hand.datasets.skeleton import JOINT_COUNT

_NAMES = ("hands", "hand_masks", "joints", "people", "backgrounds")


@dataclass(frozen=True, eq=False)
class Pieces:
    """Cut-outs and backgrounds of one split; all squares of the same side."""

    hands: NDArray[np.uint8]  # [N, S, S, 4] RGB and cover; right hands
    hand_masks: NDArray[np.uint8]  # [N, S, S / 8] the hand's own pixels, 8 in a byte along x
    joints: NDArray[np.float32]  # [N, 21, 2] pixels
    people: NDArray[np.uint8]  # [P, S, S, 4] without hands
    backgrounds: NDArray[np.uint8]  # [B, S, S, 3] without hands

    def __post_init__(self) -> None:
        count, side = self.hands.shape[:2]
        expected: dict[str, tuple[int, ...]] = {
            "hands": (count, side, side, 4),
            "hand_masks": (count, side, side // 8),
            "joints": (count, JOINT_COUNT, 2),
            "people": (len(self.people), side, side, 4),
            "backgrounds": (len(self.backgrounds), side, side, 3),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise DataError(f"Pieces.{name}: expected shape {shape}, found {getattr(self, name).shape}")

    @property
    def side(self) -> int:
        """Pixels of a side of every piece."""
        return int(self.hands.shape[1])

    @cached_property
    def tints(self) -> NDArray[np.float32]:  # [N, 3]
        """Mean colour of each hand's skin."""
        return np.stack([self._tint(index) for index in range(len(self.hands))])

    def _tint(self, index: int) -> NDArray[np.float32]:
        step = self.hands[index, ::8, ::8, :3]
        seen = np.unpackbits(self.hand_masks[index, ::8], axis=-1)[:, ::8] > 0
        mean: NDArray[np.float32] = step[seen].mean(0, dtype=np.float32) if seen.any() else np.zeros(3, np.float32)
        return mean


def load_pieces(folder: Path, split: Split) -> tuple[Pieces, str]:
    """Open a split's arrays where they lie, and return them with a digest of what they are.

    Raises `DataError` for a folder that `s2hand scenes` has not written.
    """
    settings = read_json(folder / "scenes.json")
    arrays: dict[str, Any] = {}
    for name in _NAMES:
        path = folder / split / f"{name}.npy"
        try:
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: expected an array that `s2hand scenes` wrote: {error}") from error
    pieces = Pieces(**arrays)
    return pieces, digest([settings, sha256_bytes(pieces.joints.tobytes())])
