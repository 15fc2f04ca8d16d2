"""Stage `detect`: the keypoints of both splits' photographs, as shards."""

from s2hand.datasets.records import SPLITS
from s2hand.detect.console import show_progress
from s2hand.detect.run import run_detection
from s2hand.pipeline.layout import KEYPOINTS, PREPARED
from s2hand.pipeline.params import load_params
from s2hand.pipeline.sources import open_source, require_images


def run() -> None:
    """Fill `data/keypoints/training` and `data/keypoints/evaluation` with shards."""
    params = load_params()
    dataset = open_source(params.data, PREPARED)
    for split in SPLITS:
        records = dataset.records(split)
        require_images(records, split, params.data)
        settings = params.detect.model_copy(update={"hand": records[0].hand})
        names = [record.image for record in records]
        with show_progress(f"keypoints, {split}") as report:
            run_detection(dataset.root, KEYPOINTS / split, settings, report, names)
