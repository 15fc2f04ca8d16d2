"""Stage `train`: both branches, from the images and detected keypoints of the training pack only."""

import shutil

from s2hand.datasets.process import is_first
from s2hand.pipeline.layout import HISTORY, MODEL, TRAIN_PACK
from s2hand.pipeline.training import run_training


def run() -> None:
    """Train into `outputs/model`, going on from its last epoch if it was made from the same data and parameters."""
    run_training(TRAIN_PACK, MODEL)
    if not is_first():
        return
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MODEL / "history.csv", HISTORY)
