"""The list that the authors of S2HAND train from: `[xy, confidence, names]`, an item a hand in each.

As their script writes it and their reader takes it (examples/openpose_detector/hand_detect.py and
examples/data/dataset.py of github.com/TerenceCYJ/S2HAND): `xy` is N x 21 x 2 pixel indices, `confidence` N x 21 x 1,
`names` N x 1, each the image's file name in a list of its own; a joint that was not found is [0, 0] with [0.0]. Their
reader goes by position, not by name. Left or right and boxes are lost: all their hands are right ones that fill the
image.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from s2hand.datasets.exports.hands import HandNumbers, Run, hands_of
from s2hand.datasets.exports.json_text import write_list


def write(run: Run, path: Path) -> None:
    """Write a run as one file. All shards are held in memory, 400 bytes a hand: three lists need three passes."""
    tables = list(run.shards)
    with open(path, "w", encoding="ascii") as file:
        file.write("[")
        write_list(file, (hand.xy for hand in _hands(tables)))
        file.write(",\n")
        write_list(file, ([[value] for value in hand.confidence] for hand in _hands(tables)))
        file.write(",\n")
        write_list(file, ([hand.image] for hand in _hands(tables)))
        file.write("]\n")


def _hands(tables: list[pa.Table]) -> Iterator[HandNumbers]:
    for table in tables:
        yield from hands_of(table)
