"""Write what scenes with hands are put together from: cut-out hands, people without hands, backgrounds.

A finder of hands (`detect fit-boxes`) composes its training pictures from these, each anew. Per split, `training` and
`evaluation`, the folder holds arrays that are read where they lie:

    hands.npy        [N, S, S, 4] uint8: sRGB, not premultiplied, and cover; right hands with arm and what they hold
    hand_masks.npy   [N, S, S / 8] uint8: pixels where the hand's skin is seen, 8 in a byte along x
    joints.npy       [N, 21, 2] float32, pixels of the cut-out
    people.npy       [P, S, S, 4] uint8: heads, busts and arms without hands
    backgrounds.npy  [B, S, S, 3] uint8: rooms, patterns, clutter without hands
    scenes.json      at the top: the settings; written last
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from s2hand.datasets.files import write_json
from s2hand.datasets.settings import Settings
from s2hand.detect.interrupts import deaf_to_interrupts
from s2hand.pipeline.synthetic.backgrounds import sample_background
from s2hand.pipeline.synthetic.noise import Bytes
from s2hand.pipeline.synthetic.people import render_person
from s2hand.pipeline.synthetic.photo import Foreground
from s2hand.pipeline.synthetic.scene import cut_out
from s2hand.pipeline.synthetic.settings import SyntheticSettings
from s2hand.pipeline.synthetic.tree import Progress, replacing_folder

SPLITS = ("training", "evaluation")
_MARK = "scenes.json"
_COVERAGE = (0.35, 0.8)  # of a cut-out by its hand: the rest is for the arm
_DIFFICULTY = 0.8
_CHUNK = 16


class SceneSettings(Settings):
    """How many pieces of each kind; the pieces depend on every field except `workers`."""

    hands: Annotated[int, Field(ge=1, description="cut-out hands for training; a tenth of it for evaluation")] = 6000
    people: Annotated[int, Field(ge=1, description="people without hands; a tenth for evaluation")] = 1500
    backgrounds: Annotated[int, Field(ge=1, description="backgrounds; a tenth for evaluation")] = 3000
    size: Annotated[int, Field(ge=32, le=512, multiple_of=8, description="side of each piece in pixels")] = 224
    seed: Annotated[int, Field(ge=0)] = 0
    workers: Annotated[int, Field(ge=1, le=256, description="processes that render; changes only the time")] = 2

    def count(self, kind: str, split: str) -> int:
        """Pieces of a kind in a split."""
        training = int(getattr(self, kind))
        return training if split == "training" else -(-training // 10)


@dataclass(frozen=True)
class _Task:
    split: str
    kind: str
    index: int


def make_pieces(settings: SceneSettings, out: Path, progress: Progress | None = None) -> int:
    """Render all pieces into the folder `out`; return how many. An older one of ours is replaced.

    Raises ValueError if anything else is at `out`.
    """
    tasks = [
        _Task(split, kind, index)
        for split in SPLITS
        for kind in ("hands", "people", "backgrounds")
        for index in range(settings.count(kind, split))
    ]
    with replacing_folder(out, _MARK) as root:
        arrays = {split: _create(root / split, settings, split) for split in SPLITS}
        for done, (task, piece) in enumerate(_render(settings, tasks), 1):
            for name, value in piece.items():
                arrays[task.split][name][task.index] = value
            if progress is not None:
                progress(done, len(tasks))
        for split in arrays.values():
            for array in split.values():
                array.flush()
        write_json(root / _MARK, settings.model_dump(exclude={"workers"}))
    return len(tasks)


def _create(folder: Path, settings: SceneSettings, split: str) -> dict[str, np.memmap[Any, Any]]:
    """New arrays of a split."""
    folder.mkdir()
    side = settings.size
    hands, people, backgrounds = (settings.count(kind, split) for kind in ("hands", "people", "backgrounds"))
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "hands": ((hands, side, side, 4), np.uint8),
        "hand_masks": ((hands, side, side // 8), np.uint8),
        "joints": ((hands, 21, 2), np.float32),
        "people": ((people, side, side, 4), np.uint8),
        "backgrounds": ((backgrounds, side, side, 3), np.uint8),
    }
    return {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)
        for name, (shape, dtype) in shapes.items()
    }


def _render(settings: SceneSettings, tasks: list[_Task]) -> Iterator[tuple[_Task, dict[str, NDArray[Any]]]]:
    """The pieces in the order of the tasks, from spawned processes, or from this one if one is enough."""
    work = partial(_piece, settings)
    if settings.workers == 1:
        _start_worker()
        yield from zip(tasks, map(work, tasks), strict=True)
        return
    with deaf_to_interrupts():
        processes = get_context("spawn").Pool(settings.workers, _start_worker)
    with processes as pool:
        yield from zip(tasks, pool.imap(work, tasks, _CHUNK), strict=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)  # processes share the cores


def _piece(settings: SceneSettings, task: _Task) -> dict[str, NDArray[Any]]:
    """What one task adds to the arrays of its split, by name."""
    makers: dict[str, Callable[[SceneSettings, _Task, np.random.Generator], dict[str, NDArray[Any]]]] = {
        "hands": _hand,
        "people": _person,
        "backgrounds": _background,
    }
    kinds = list(makers)
    key = [settings.seed, SPLITS.index(task.split), kinds.index(task.kind), task.index]
    return makers[task.kind](settings, task, np.random.default_rng(key))


def _hand(settings: SceneSettings, task: _Task, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    look = SyntheticSettings(
        image_size=settings.size, coverage=_COVERAGE, difficulty=_DIFFICULTY, seed=settings.seed, workers=1
    )
    hand = cut_out(look, task.split, task.index)
    return {
        "hands": encode(hand.front, _exposure(rng)),
        "hand_masks": np.packbits(hand.mask, axis=-1),
        "joints": hand.joints_px.astype(np.float32),
    }


def _person(settings: SceneSettings, task: _Task, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    del task
    return {"people": encode(render_person(rng, settings.size), _exposure(rng))}


def _background(settings: SceneSettings, task: _Task, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    del task
    return {"backgrounds": sample_background(rng, settings.size, limbs=False)}


def _exposure(rng: np.random.Generator) -> float:
    return float(np.exp(rng.normal(0.1, 0.3)))


def encode(front: Foreground, gain: float) -> Bytes:  # [S, S, 4]
    """Return red, green, blue (sRGB, not premultiplied) and cover, a byte each; `gain` multiplies the light.

    Where nothing is, the colour is that of what is beside it, so that resampling draws no dark rims.
    """
    light = front.light / np.maximum(front.cover, 1e-3)[..., None] * np.float32(gain)
    colour = (np.clip(light, 0, 1) ** np.float32(1 / 2.2)).astype(np.float32)
    spread = np.asarray(cv2.dilate(colour, np.ones((5, 5), np.uint8)))
    colour = np.where(front.cover[..., None] > 0, colour, spread)
    return np.asarray(np.concatenate([colour, front.cover[..., None]], -1) * 255 + 0.5, np.uint8)
