"""A tiny project that has been run, shared by the tests of the report: real stages, an untrained network."""

import csv
import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
import yaml

from s2hand.pipeline.layout import EVAL_PACK, HISTORY, MODEL
from s2hand.pipeline.stage_runs import noted
from s2hand.pipeline.stages import detect, evaluate, pack, prepare
from s2hand.train.checkpoint import KEYPOINTS, WEIGHTS, read_checkpoint, write_weights
from s2hand.train.hourglass import HourglassBranch
from s2hand.train.settings import HourglassSettings
from tests.pipeline.conftest import ROOT

HANDS = {"training": 8, "evaluation": 8}
LEFT = [1, 4]  # rows of the evaluation
EPOCHS = (("shape", 5.0, None), ("shape", 4.0, None), ("keypoints", None, 3.0), ("joint", 2.0, 1.0))


@pytest.fixture(scope="session")
def mini_project(tmp_path_factory: pytest.TempPathFactory, make_checkpoint: Any) -> Path:
    """A folder in which all stages have run but the training, whose network and history are made up. Read only."""
    root = tmp_path_factory.mktemp("mini") / "project"
    root.mkdir()
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["hand_model"] = params["data"]["input"] = "open_hand.npz"
    params["detect"]["weights"] = str(ROOT / params["detect"]["weights"])
    params["data"]["synthetic"] |= {"train": HANDS["training"], "evaluation": HANDS["evaluation"], "versions": 1}
    params["data"]["synthetic"] |= {"image_size": 96, "workers": 1}
    params["pack"]["min_confidence"] = 0.8
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    shutil.copy(ROOT / "train/assets/open_hand.npz", root)
    with chdir(root):
        for name, stage in (("prepare", prepare), ("detect", detect), ("pack", pack)):
            with noted(name):
                stage.run()
                if stage is pack:
                    call_left(EVAL_PACK, LEFT)
        MODEL.mkdir(parents=True)
        make_checkpoint(MODEL)
        write_2d_branch(MODEL)
        with noted("evaluate"):
            evaluate.run()
        write_history(HISTORY)
    return root


def call_left(path: Path, rows: list[int]) -> None:
    """Say of these rows of a pack that they are left hands, which were mirrored."""
    with h5py.File(path, "r+") as file:
        file["mirrored"][rows] = True


def write_2d_branch(folder: Path) -> None:
    """Write an untrained, small 2D branch beside the weights in `folder`, as a training does."""
    saved = read_checkpoint(folder, WEIGHTS).identity
    hourglass = HourglassSettings(stacks=1, features=16, depth=2, image_size=64)
    identity = replace(saved, settings=saved.settings.model_copy(update={"hourglass": hourglass}))
    torch.manual_seed(0)
    write_weights(folder / KEYPOINTS, HourglassBranch(hourglass).state_dict(), identity)


def write_history(path: Path) -> None:
    """Write the curves of a training of four epochs; terms are empty where a stage does not use them."""
    columns = ("epoch", "stage", "learning_rate", "samples_per_second", "loss", "E_loc", "E_2d")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for epoch, (stage, loc, two) in enumerate(EPOCHS, 1):
            writer.writerow((epoch, stage, 0.001 / epoch, 100 + epoch, 2.5 / epoch, loc, two))
