"""COCO-WholeBody: annotations of persons, of whom only the hands are known.

Body, feet and face are zeros and invalid, as the format says; `num_keypoints` counts body joints, so it is 0. A hand's
`v` is its joints' confidence: the format allows fractions, and anything above 0 counts as labelled. Who a hand belongs
to is answered by `people_of`. `lefthand_box`, `righthand_box` are the squares that were looked at, `bbox` encloses
them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from s2hand.datasets.exports.coco import CocoImages, write_file
from s2hand.datasets.exports.hands import HandNumbers, Run, by_image, flat, hands_of, people_of
from s2hand.datasets.records import HANDS
from s2hand.datasets.skeleton import JOINT_COUNT

BODY = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
CATEGORY = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(BODY),
    "skeleton": [],
}
NO_BOX = [0.0, 0.0, 0.0, 0.0]
UNKNOWN: Mapping[str, object] = {
    "keypoints": [0] * (3 * len(BODY)),
    "num_keypoints": 0,
    "foot_kpts": [0] * (3 * 6),
    "face_kpts": [0] * (3 * 68),
    "face_box": NO_BOX,
    "foot_valid": False,
    "face_valid": False,
}


def write(run: Run, path: Path) -> None:
    """Write a run as one file of COCO-WholeBody annotations."""
    write_file(run, path, CATEGORY, _annotations)


def _annotations(run: Run, images: CocoImages) -> Iterator[dict[str, object]]:
    number = 0
    for table in run.shards:
        for hands in by_image(hands_of(table)):
            for person in people_of(hands):
                number += 1
                yield {"id": number, "image_id": images.number(hands[0]), **_annotation(person)}


def _annotation(person: Mapping[str, HandNumbers]) -> dict[str, object]:
    box = _around([hand.box for hand in person.values()])
    values: dict[str, object] = {"category_id": CATEGORY["id"], "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
    for side in HANDS:
        hand = person.get(side)
        values[f"{side}hand_box"] = NO_BOX if hand is None else hand.box
        values[f"{side}hand_kpts"] = [0] * (3 * JOINT_COUNT) if hand is None else flat(hand)
        values[f"{side}hand_valid"] = hand is not None
    return {**values, **UNKNOWN}


def _around(boxes: list[list[float]]) -> list[float]:
    x, y = (min(box[axis] for box in boxes) for axis in (0, 1))
    right, bottom = (max(box[axis] + box[axis + 2] for box in boxes) for axis in (0, 1))
    return [x, y, right - x, bottom - y]
