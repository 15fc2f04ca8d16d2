"""Stage `detect`: the keypoints of both splits' photographs, as shards."""

from pathlib import Path

from s2hand.datasets.records import SPLITS
from s2hand.detect.console import show_progress
from s2hand.detect.run import run_detection
from s2hand.pipeline.layout import KEYPOINTS, PREPARED
from s2hand.pipeline.params import Params, load_params
from s2hand.pipeline.sources import open_source, require_images


def run() -> None:
    """Fill `data/keypoints/training` and `data/keypoints/evaluation` with shards."""
    detect(load_params(), PREPARED, KEYPOINTS)


def detect(params: Params, prepared: Path, keypoints: Path) -> None:
    """Fill a folder per split in `keypoints` with the shards of the photographs that `prepared` lists."""
    dataset = open_source(params.data, prepared)
    for split in SPLITS:
        records = dataset.records(split)
        require_images(records, split, params.data)
        settings = params.detect.model_copy(update={"hand": records[0].hand})
        names = [record.image for record in records]
        with show_progress(f"keypoints, {split}") as report:
            run_detection(dataset.root, keypoints / split, settings, report, names, anew=True)
