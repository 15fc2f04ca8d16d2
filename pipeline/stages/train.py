"""Stage `train`: the 3D network, from the images and detected keypoints of the training pack only."""

import shutil

from s2hand.detect.console import show_progress
from s2hand.pipeline.layout import HISTORY, MODEL, TRAIN_PACK
from s2hand.pipeline.params import load_params


def run() -> None:
    """Train into `outputs/model`, going on from its last epoch if it was made from the same data and parameters."""
    from s2hand.train.loop import train

    params = load_params()
    settings = params.train.model_copy(update={"seed": params.seed})
    with show_progress("train") as report:
        train(settings, TRAIN_PACK, MODEL, params.hand_model, report)
    HISTORY.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MODEL / "history.csv", HISTORY)
