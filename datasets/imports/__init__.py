"""Hand labels that other programs made, as keypoint shards: `imports.run.import_labels`.

A format is a module here with `read(labels, images, hand)`, and a line in `FORMATS`. Importing the package loads none.
"""

FORMATS = {
    "openpose-json": "openpose_json",
    "coco": "coco",
    "coco-wholebody": "coco_wholebody",
    "s2hand-json": "s2hand_json",
}
"""Format to the module that reads it."""
