"""Which code a training is made by: what a saved state goes on with only while it is the same."""

from s2hand.datasets.files import source_digest

PASSIVE = (
    *("export", "openhand", "predict.py", "metrics.py", "nearest.py", "render/reference.py"),
    *("refine.py", "refine_settings.py", "refine_terms.py"),
    *("exports", "imports", "folder.py", "freihand.py", "ho3d.py", "ho3d_frames.py", "ho3d_meta.py"),
    *("image_files.py", "images.py", "json_arrays.py", "listing.py", "pixel_indices.py"),
    *("video_index.py", "video_reader.py", "videos.py"),
    *("box_files.py", "boxes.py", "coco.py", "crop_boxes.py", "hand_crops.py"),
    *("keypoints.py", "manifest.py", "plan.py", "replaceable.py", "shards.py"),
)
"""Parts of `train` and `datasets` that no training runs: a change there makes no state stale. Packs and the hand model,
which some of them wrote, count by their own digests. What is new counts."""


def training_code() -> str:
    """Return the digest, in hex, of all code that a training runs."""
    return source_digest("s2hand.datasets", "s2hand.train", without=PASSIVE)
