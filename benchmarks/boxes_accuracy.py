"""How well the finder of hands does: `python benchmarks/boxes_accuracy.py FOLDER [FOLDER]`.

A FOLDER with `labels.json` holds photographs of one hand each: per image, by its path, `hand` (left or right) and `uv`
(21 x 2 pixels). One with `scenes.json` holds the pieces that `s2hand scenes` writes: of its evaluation split, scenes of
384 pixels are composed that training has not seen, with up to four hands of a twentieth of the picture to all of it.

A hand is found if a box overlaps that of its true joints by half of what both cover together (IoU).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from report import write_results

from s2hand.datasets.files import read_json
from s2hand.datasets.images import read_image
from s2hand.datasets.records import HANDS
from s2hand.detect.boxes.decode import Found
from s2hand.detect.boxes.fit.compose import Scene, compose
from s2hand.detect.boxes.fit.measure import compare
from s2hand.detect.boxes.fit.pieces import load_pieces
from s2hand.detect.boxes.fit.settings import SceneSettings
from s2hand.detect.boxes.localizer import SlimLocalizer

COMPOSED = SceneSettings(side=384, sizes=(0.05, 1.0))
BANDS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 10.0))
"""Longer side of a hand's box over the picture's, from and below: each has a recall of its own."""


def main(
    folders: Annotated[list[Path], typer.Argument(help="Labelled photographs, or pieces of scenes.")],
    weights: Annotated[str, typer.Option(help="`slim`, or a weight file of the finder.")] = "slim",
    scenes: Annotated[int, typer.Option(min=1, help="Scenes to compose of pieces.")] = 500,
    name: Annotated[str, typer.Option(help="Name of the results' file.")] = "boxes_accuracy",
) -> None:
    """Measure the finder; print and write precision, recall, and the share of sides that are right."""
    finder = SlimLocalizer.load(weights)
    rows = []
    for folder in folders:
        composed = (folder / "scenes.json").is_file()
        shown = _composed(folder, scenes) if composed else _labelled(folder)
        rows.append({"what": "composed scenes" if composed else "labelled photographs", **measure(finder, list(shown))})
    write_results(name, rows, f"weights sha256 {finder.weights_sha256}, {finder.parameters}")


def _composed(folder: Path, count: int) -> Iterator[Scene]:
    pieces, _ = load_pieces(folder, "evaluation")
    return (compose(pieces, COMPOSED, 1.0, np.random.default_rng([7, number])) for number in range(count))


def _labelled(folder: Path) -> Iterator[Scene]:
    for image, label in read_json(folder / "labels.json").items():
        box = true_box(np.array(label["uv"], np.float32))
        side = HANDS.index(label["hand"])
        yield Scene(read_image(folder / image), box[None], np.array([side]), np.zeros((0, 4), np.float32))


def measure(finder: SlimLocalizer, scenes: list[Scene]) -> dict[str, float | int]:
    """Find the hands of all scenes and compare."""
    hits = boxes = sides = empty = false_in_empty = 0
    sizes: list[float] = []
    found_sizes: list[float] = []
    seconds = 0.0
    for scene in scenes:
        started = time.perf_counter()
        found, hands = finder.find(scene.image)
        seconds += time.perf_counter() - started
        matched, counts = compare(found, scene)
        hits += int((matched >= 0).sum())
        boxes += int(counts.sum())
        sides += sum(HANDS[true] == told for true, told in zip(matched, hands, strict=True) if true >= 0)
        nobody = not len(scene.boxes) and not len(scene.ignored)
        empty, false_in_empty = empty + nobody, false_in_empty + nobody * len(found)
        longer = scene.boxes[:, 2:].max(1, initial=0) / max(scene.image.shape[:2])
        sizes += longer.tolist()
        found_sizes += longer[found_hands(found.boxes, scene)].tolist()
    bands = {
        f"recall_{low:g}_to_{min(high, 1):g}": _share(_within(found_sizes, low, high), _within(sizes, low, high))
        for low, high in BANDS
        if _within(sizes, low, high)
    }
    return {
        "pictures": len(scenes),
        "hands": len(sizes),
        "precision": _share(hits, boxes),
        "recall": _share(hits, len(sizes)),
        **bands,
        "sides_right": _share(sides, hits),
        **({"false_per_picture_without_hands": false_in_empty / empty} if empty else {}),
        "pictures_per_s": len(scenes) / seconds,
    }


def found_hands(boxes: NDArray[np.floating], scene: Scene) -> NDArray[np.bool_]:
    """Tell which hands of a scene have a box of their own."""
    alone = (Scene(scene.image, scene.boxes[[i]], scene.sides[[i]], scene.ignored) for i in range(len(scene.boxes)))
    scores = np.ones(len(boxes), np.float32)
    return np.array([bool((compare(Found(boxes, scores), one)[0] >= 0).any()) for one in alone], bool)


def true_box(uv: NDArray[np.float32]) -> NDArray[np.float32]:  # [21, 2] -> centre x, y, width, height
    """Return the box around the joints."""
    low, high = uv.min(0), uv.max(0)
    return np.concatenate([(low + high) / 2, high - low])


def _within(sizes: list[float], low: float, high: float) -> int:
    return sum(low <= size < high for size in sizes)


def _share(part: int, whole: int) -> float:
    return part / max(whole, 1)


if __name__ == "__main__":
    typer.run(main)
