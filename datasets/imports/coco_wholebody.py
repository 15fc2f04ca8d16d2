"""COCO-WholeBody: the hands of persons. v is the confidence: fractions as they are, 1 and 2 as 1."""

from pathlib import Path
from typing import Any

import numpy as np

from s2hand.datasets.coco import CocoFile, read_coco
from s2hand.datasets.files import DataError
from s2hand.datasets.imports.coco import box_of
from s2hand.datasets.imports.labels import LabelledHand, Labels, is_labelled, joints_from_list
from s2hand.datasets.records import HANDS, Hand


def read(labels: Path, images: Path, hand: Hand) -> Labels:
    """Read a file. A hand that is marked as not valid, or has no joint, is passed over."""
    del images, hand
    coco = read_coco(labels)
    found: Labels = {image.name: [] for image in coco.images.values()}
    for annotation in coco.annotations:
        for side in HANDS:
            labelled = _hand(coco, annotation, side)
            if labelled is not None:
                found[coco.image_of(annotation).name].append(labelled)
    if not any(found.values()):
        raise DataError(f"{labels}: expected annotations with lefthand_kpts and righthand_kpts, found no hand in them")
    return found


def _hand(coco: CocoFile, annotation: dict[str, Any], side: Hand) -> LabelledHand | None:
    name = f"{side}hand_kpts"
    if not annotation.get(f"{side}hand_valid", True) or np.size(annotation.get(name, ())) == 0:
        return None
    try:
        keypoints = joints_from_list(annotation[name])
    except ValueError as error:
        coco.refuse(annotation, f"{name}: {error}")
    return (
        LabelledHand(side, keypoints, box_of(coco, annotation, f"{side}hand_box")) if is_labelled(keypoints) else None
    )
