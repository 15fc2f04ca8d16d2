"""OpenPose's JSON: a file per image, `NAME_keypoints.json`, alone or in a folder and below it.

The image is the one, or the frame of a video, whose labels an export would put there: of the same name, whatever its
suffix, in the same sub-folder. The files hold no boxes: a hand's box is the square around its joints, enlarged by
`MARGIN`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.crop_boxes import widened_square
from s2hand.datasets.exports.openpose_json import label_name
from s2hand.datasets.exports.output import LABEL_SUFFIX
from s2hand.datasets.files import DataError, read_json
from s2hand.datasets.imports.labels import LabelledHand, Labels, is_labelled, joints_from_list
from s2hand.datasets.listing import list_items
from s2hand.datasets.records import HANDS, Hand

MARGIN = 1.4  # joints lie inside the hand


def read(labels: Path, images: Path, hand: Hand) -> Labels:
    """Read a file or a folder of them. A hand without any joint is passed over; an image without people is kept.

    Raises:
        DataError: no such files, one that is not OpenPose's, or that several images share.
    """
    del hand
    root, files = _files(labels)
    by_label: dict[str, list[str]] = {}
    for name in list_items(images).names:
        by_label.setdefault(label_name(name), []).append(name)
    found: Labels = {}
    for file in files:
        label = file.relative_to(root).as_posix()
        names = by_label.get(label, [label.removesuffix(LABEL_SUFFIX)])  # one that is not there fails by this name
        if len(names) > 1:
            raise DataError(f"{file}: could be of {' or '.join(names)}; take one away")
        found[names[0]] = list(_hands(file))
    return found


def _files(labels: Path) -> tuple[Path, list[Path]]:
    if not labels.exists():
        raise DataError(f"{labels}: no such file or folder")
    if labels.is_file() and labels.name.endswith(LABEL_SUFFIX):
        return labels.parent, [labels]
    files = sorted(labels.rglob(f"*{LABEL_SUFFIX}"))
    if not files:
        raise DataError(f"{labels}: expected a file *{LABEL_SUFFIX} as OpenPose writes it, or a folder of them")
    return labels, files


def _hands(file: Path) -> Iterator[LabelledHand]:
    value = read_json(file)
    people = value.get("people") if isinstance(value, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise DataError(f"{file}: not a file of OpenPose's: expected an object with a list `people`")
    for index, person in enumerate(people):
        for side in HANDS:
            keypoints = _keypoints(file, index, person, side)
            if keypoints is not None and is_labelled(keypoints):
                yield LabelledHand(side, keypoints, _box(keypoints))


def _keypoints(file: Path, index: int, person: dict[str, Any], side: Hand) -> NDArray[np.float32] | None:
    field = f"hand_{side}_keypoints_2d"
    numbers = person.get(field) or []
    try:
        return joints_from_list(numbers) if numbers else None
    except ValueError as error:
        raise DataError(f"{file}: person {index}: {field}: {error}") from None


def _box(keypoints: NDArray[np.float32]) -> Box:
    xy = keypoints[keypoints[:, 2] > 0, :2].astype(np.float64)
    low, high = xy.min(0), xy.max(0)
    w, h = np.maximum(high - low, 1)
    return widened_square(Box(float(low[0]), float(low[1]), float(w), float(h)), MARGIN)
