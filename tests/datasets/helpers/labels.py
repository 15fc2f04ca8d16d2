"""Labels of hands as other programs write them."""

from pathlib import Path

from s2hand.datasets.files import write_json

JOINTS = [[float(joint), 2.0 * joint] for joint in range(21)]


def coco_file(path: Path, images: list[str], annotations: list[dict], **category: object) -> Path:
    """Write a file of COCO: annotation 7 and those after it, all of the first image."""
    value = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(images)],
        "annotations": [{"id": 7 + number, "image_id": 0, **one} for number, one in enumerate(annotations)],
        "categories": [{"id": 1, "name": "hand", **category}],
    }
    write_json(path, value)
    return path


def labelled(visible: float, **others: object) -> dict[str, object]:
    """An annotation of a hand whose joints are all as visible as that."""
    return {"category_id": 1, "keypoints": [n for x, y in JOINTS for n in (x, y, visible)], **others}
