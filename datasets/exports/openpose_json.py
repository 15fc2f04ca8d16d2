"""OpenPose's JSON, version 1.3: one file per image, `NAME_keypoints.json`, in the same sub-folders as the images.

A person has both hands, 63 numbers each; a hand that is not there is 63 zeros, and a missing joint is 0, 0, 0. Body and
face are empty, as OpenPose writes them when they are switched off. Frames of a video are named as OpenPose names them:
`clip.mp4#000123` becomes `clip_000000000123_keypoints.json`. Boxes are lost.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from s2hand.datasets.exports.hands import HandNumbers, Run, by_image, flat, hands_of, people_of
from s2hand.datasets.exports.json_text import encode
from s2hand.datasets.exports.output import LABEL_SUFFIX
from s2hand.datasets.files import DataError
from s2hand.datasets.records import HANDS
from s2hand.datasets.skeleton import JOINT_COUNT

VERSION = 1.3
NO_HAND = [0.0] * (3 * JOINT_COUNT)


def label_name(image: str) -> str:
    """Return the name of the file that holds an image's labels, relative to the export."""
    path, _, frame = image.partition("#")
    number = f"_{int(frame):012d}" if frame.isdecimal() else ""
    named = PurePosixPath(path if number else image)
    return str(named.with_name(f"{named.stem}{number}{LABEL_SUFFIX}"))


def write(run: Run, path: Path) -> None:
    """Write a run into an empty folder; `DataError` if two images would share a file."""
    for table in run.shards:
        for hands in by_image(hands_of(table)):
            image = hands[0].image
            file = path / label_name(image)
            file.parent.mkdir(parents=True, exist_ok=True)
            people = [_person(person) for person in people_of(hands)]
            try:
                with open(file, "x", encoding="ascii") as text:
                    text.write(encode({"version": VERSION, "people": people}))
            except FileExistsError:
                raise DataError(
                    f"{image}: another image has its labels in {label_name(image)} too, since OpenPose's names leave "
                    "out the image's suffix; rename one of the two, or export another format"
                ) from None


def _person(person: Mapping[str, HandNumbers]) -> dict[str, object]:
    sides = {side: flat(person[side]) if side in person else NO_HAND for side in HANDS}
    return {
        "person_id": [-1],
        "pose_keypoints_2d": [],
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": sides["left"],
        "hand_right_keypoints_2d": sides["right"],
        "pose_keypoints_3d": [],
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
    }
