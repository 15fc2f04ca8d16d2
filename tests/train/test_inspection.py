"""A look at the networks between two epochs: distances to detections that were held back."""

import pytest
import torch

from s2hand.train.branches import Branches, Stage
from s2hand.train.data import TrainingData
from s2hand.train.inspection import Inspector
from s2hand.train.mano import load_hand_model
from s2hand.train.settings import EncoderSettings, HourglassSettings, TrainSettings

HELD_BACK = 3  # of eight


@pytest.fixture(scope="module")
def branches():
    hourglass = HourglassSettings(stacks=2, features=16, depth=2, image_size=32)
    settings = TrainSettings(encoder=EncoderSettings(pretrained="never"), hourglass=hourglass)
    torch.manual_seed(0)
    return Branches(settings, load_hand_model()).train()


@pytest.fixture(scope="module")
def data(tiny_pack):
    return TrainingData(tiny_pack, torch.device("cpu"), "auto", workers=1)


def test_distances_are_weighted_by_confidence_in_pixels_of_224(branches, data, tmp_path):
    inspector = Inspector(branches, data, len(data) - HELD_BACK, tmp_path)
    found = inspector.held_back_distances(branches.state_dict(), Stage.joint)
    assert all(module.training for module in branches.modules())
    batch = data.batch(torch.arange(len(data) - HELD_BACK, len(data)))
    with torch.no_grad():
        outputs = branches.eval()(batch.images, batch.K)
    branches.train()
    for name, joints in (("held_back_px", outputs.hands.joints_px), ("held_back_2d_px", outputs.stacks[-1].joints)):
        per_hand = []
        for seen, detected in zip(joints, batch.keypoints, strict=True):
            known = detected[detected[:, 2] > 0]
            distance = (seen[detected[:, 2] > 0] - known[:, :2]).norm(dim=1) * 224 / 64
            per_hand.append(float((distance * known[:, 2]).sum() / known[:, 2].sum()))
        assert found.pop(name) == pytest.approx(sum(per_hand) / HELD_BACK, rel=1e-4)
    assert not found


@pytest.mark.parametrize(("stage", "names"), [("shape", {"held_back_px"}), ("keypoints", {"held_back_2d_px"})])
def test_only_branches_that_a_stage_trains_are_measured(branches, data, tmp_path, stage, names):
    inspector = Inspector(branches, data, len(data) - HELD_BACK, tmp_path)
    assert set(inspector.held_back_distances(branches.state_dict(), Stage(stage))) == names


def test_where_nothing_is_held_back_nothing_is_measured(branches, data, tmp_path):
    assert Inspector(branches, data, len(data), tmp_path).held_back_distances(branches.state_dict(), Stage.joint) == {}
