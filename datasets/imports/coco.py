"""COCO keypoints of hands: annotations of 21 joints, the wrist first, ours or another program's.

A joint's confidence is its number in the annotation's `scores`; where there are none, v above 0 counts as 1 (a v that
is a fraction is the confidence itself). An annotation without keypoints is no label and is passed over.
"""

from pathlib import Path
from typing import Any

import numpy as np

from s2hand.datasets.cameras import Box
from s2hand.datasets.coco import CocoFile, read_coco
from s2hand.datasets.crop_boxes import widened_square
from s2hand.datasets.files import DataError
from s2hand.datasets.imports.labels import LabelledHand, Labels, is_labelled, joints_from_indices
from s2hand.datasets.records import Hand
from s2hand.datasets.skeleton import JOINT_COUNT


def read(labels: Path, images: Path, hand: Hand) -> Labels:
    """Read a file; `hand` is what annotations show that do not say. `DataError` names the file and annotation."""
    del images
    coco = read_coco(labels)
    for category in coco.categories.values():
        check_order(labels, category)
    found: Labels = {image.name: [] for image in coco.images.values()}
    for annotation in coco.annotations:
        if np.size(annotation.get("keypoints", ())) == 0:
            continue
        image = coco.image_of(annotation)
        labelled = _hand(coco, annotation, hand)
        if is_labelled(labelled.keypoints):
            found[image.name].append(labelled)
    if not any(found.values()):
        raise DataError(f"{labels}: expected hands of {JOINT_COUNT} keypoints, found none")
    return found


def check_order(path: Path, category: Any) -> None:
    """Refuse a category of 21 joints of which the first is no wrist: another order of joints than ours."""
    names = category.get("keypoints")
    if isinstance(names, list) and len(names) == JOINT_COUNT:
        first = str(names[0]).lower()
        if "wrist" not in first and "root" not in first:
            raise DataError(
                f"{path}: category {category.get('name')!r}: expected the joints in OpenPose's order, the wrist first, "
                f"found {names[0]!r}; reorder them"
            )


def box_of(coco: CocoFile, annotation: dict[str, Any], field: str) -> Box | None:
    """Return the square around an annotation's box, or None where it has none or one of no size."""
    value = annotation.get(field)
    if value is None:
        return None
    try:
        x, y, w, h = (float(number) for number in value)
        return None if w == 0 or h == 0 else widened_square(Box(x, y, w, h), 1.0)
    except (TypeError, ValueError, OverflowError):
        coco.refuse(annotation, f"{field}: expected finite x, y and w, h above 0, found {value!r}")


def _hand(coco: CocoFile, annotation: dict[str, Any], hand: Hand) -> LabelledHand:
    joints = annotation["keypoints"]
    if joints.shape != (3 * JOINT_COUNT,):
        coco.refuse(annotation, f"keypoints: expected {3 * JOINT_COUNT} numbers, found {joints.size}")
    visible = joints[2::3]
    scores = annotation.get("scores")
    if scores is not None and scores.shape != (JOINT_COUNT,):
        coco.refuse(annotation, f"scores: expected {JOINT_COUNT} numbers, found {scores.size}")
    confidence = np.where(visible > 0, scores, 0) if scores is not None else np.minimum(visible, 1)
    try:
        keypoints = joints_from_indices(joints.reshape(JOINT_COUNT, 3)[:, :2], confidence)
    except ValueError as error:
        coco.refuse(annotation, f"keypoints: {error}")
    return LabelledHand(coco.hand_of(annotation) or hand, keypoints, box_of(coco, annotation, "bbox"))
