"""COCO keypoints: one annotation a hand, one category `hand` of 21 keypoints.

`v` is 2 for a joint that was found and 0 for one that was not (then x = y = 0); what v loses is in the attribute
`scores`, the 21 confidences. `bbox` is the square that was looked at, `area` the square's, since there is no mask.
Images without a hand have no row in the shards, so they are not listed.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from s2hand.datasets.exports.hands import HandNumbers, Run, hands_of
from s2hand.datasets.exports.json_text import write_object
from s2hand.datasets.skeleton import BONES, JOINT_NAMES

CATEGORY = {
    "id": 1,
    "name": "hand",
    "supercategory": "hand",
    "keypoints": list(JOINT_NAMES),
    "skeleton": [[parent + 1, child + 1] for parent, child in BONES],  # counted from 1
}


class CocoImages:
    """Numbers the images of a run as they are met, and lists them."""

    def __init__(self) -> None:
        self._images: dict[str, tuple[int, int, int]] = {}

    def number(self, hand: HandNumbers) -> int:
        """Return the id of a hand's image: 1, 2, ..."""
        return self._images.setdefault(hand.image, (len(self._images) + 1, hand.width, hand.height))[0]

    def entries(self) -> Iterator[dict[str, object]]:
        """Yield what the file says of each image."""
        for name, (number, width, height) in self._images.items():
            yield {"id": number, "file_name": name, "width": width, "height": height}


def write(run: Run, path: Path) -> None:
    """Write a run as one file of COCO keypoints."""
    write_file(run, path, CATEGORY, _annotations)


def write_file(
    run: Run,
    path: Path,
    category: Mapping[str, object],
    annotations: Callable[[Run, CocoImages], Iterator[dict[str, object]]],
) -> None:
    """Write a run as one file with the frame of COCO; `annotations` yields them and numbers the images as it goes."""
    images = CocoImages()
    members = {
        "info": {"description": "hand keypoints", **run.provenance.as_json()},
        "licenses": [],
        "categories": [category],
        "annotations": annotations(run, images),
        "images": images.entries(),  # known once the annotations are written
    }
    write_object(path, members)


def _annotations(run: Run, images: CocoImages) -> Iterator[dict[str, object]]:
    number = 0
    for table in run.shards:
        for hand in hands_of(table):
            number += 1
            yield {"id": number, "image_id": images.number(hand), **_annotation(hand)}


def _annotation(hand: HandNumbers) -> dict[str, object]:
    found = [value > 0 for value in hand.confidence]
    return {
        "category_id": CATEGORY["id"],
        "hand": hand.hand,
        "bbox": hand.box,
        "area": hand.box[2] * hand.box[3],
        "iscrowd": 0,
        "num_keypoints": sum(found),
        "keypoints": [n for (x, y), there in zip(hand.xy, found, strict=True) for n in (x, y, 2 if there else 0)],
        "scores": hand.confidence,
    }
