"""Both branches: which a stage trains, and what synchronised batch statistics leave alone."""

import copy

import pytest
import torch

from s2hand.train.branches import Branches, Stage, planned_stages, synchronize_batch_norm
from s2hand.train.checkpoint import KEYPOINTS, WEIGHTS, CheckpointError, Identity, hand_digest, write_weights
from s2hand.train.mano import load_hand_model
from s2hand.train.settings import (
    EncoderSettings,
    HourglassSettings,
    LossSettings,
    StageSettings,
    StagesSettings,
    TrainSettings,
)
from s2hand.train.start import load_start, start_digest

SMALL = TrainSettings(
    encoder=EncoderSettings(pretrained="never", points=True),
    hourglass=HourglassSettings(stacks=1, features=16, depth=2, image_size=32),
)
K = torch.tensor([[[130.0, 0, 32], [0, 130, 32], [0, 0, 1]]])


@pytest.fixture(scope="module")
def hand():
    return load_hand_model()


def make(hand, seed=0):
    torch.manual_seed(seed)
    return Branches(SMALL, hand)


def test_synchronised_statistics_change_no_value(hand):
    """torch's own conversion loses the activations inside timm's normalisations."""
    branches = make(hand).train()
    branches(torch.rand(8, 3, 64, 64), K.expand(8, 3, 3))  # statistics that are not those of the start
    branches.eval()
    converted = copy.deepcopy(branches)
    synchronize_batch_norm(converted)
    kinds = {type(module).__name__ for module in converted.modules()}
    assert "SyncBatchNorm" in kinds
    assert "BatchNorm2d" not in kinds
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before, after = branches(image, K), converted.eval()(image, K)
    torch.testing.assert_close(before.hands.vertices_cam, after.hands.vertices_cam)
    torch.testing.assert_close(before.hands.texture.colors, after.hands.texture.colors)
    torch.testing.assert_close(before.stacks[-1].joints, after.stacks[-1].joints)
    assert branches.state_dict().keys() == converted.state_dict().keys()


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_runs_its_branches_only(hand, stage):
    chosen = make(hand).of_stage(stage).eval()
    outputs = chosen(torch.rand(1, 3, 64, 64), K)
    assert (outputs.hands is not None) == (stage in (Stage.shape, Stage.joint))
    assert bool(outputs.stacks) == (stage in (Stage.keypoints, Stage.joint))


def test_stages_of_no_epochs_and_those_without_a_branch_are_left_out():
    plan = StageSettings(epochs=1, learning_rate=1e-3)
    none = StageSettings(epochs=0, learning_rate=1e-3)
    end_to_end = TrainSettings(stages=StagesSettings(shape=none, keypoints=none, joint=plan))
    assert [stage for stage, _ in planned_stages(end_to_end)] == [Stage.joint]
    alone = TrainSettings(loss=LossSettings(E_2d=0.0, E_con=0.0))
    assert [stage for stage, _ in planned_stages(alone)] == [Stage.shape, Stage.joint]


def write(folder, branches, hand):
    folder.mkdir()
    identity = Identity(SMALL, hand_digest(hand), "data", 64, "code")
    write_weights(folder / WEIGHTS, branches.reconstruction.state_dict(), identity)
    write_weights(folder / KEYPOINTS, branches.keypoints.state_dict(), identity)


def test_a_training_starts_from_an_earlier_one(hand, tmp_path):
    earlier, later = make(hand, 0), make(hand, 1)
    write(tmp_path / "one", earlier, hand)
    load_start(later, tmp_path / "one")
    ours, theirs = later.state_dict(), earlier.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    write(tmp_path / "two", make(hand, 2), hand)
    assert start_digest(tmp_path / "one") != start_digest(tmp_path / "two")


def test_a_start_that_is_none_or_of_another_network_is_refused(hand, tmp_path):
    with pytest.raises(CheckpointError, match=r"train.start: .*no such file; train there first"):
        load_start(make(hand), tmp_path)
    write(tmp_path / "one", make(hand), hand)
    other = SMALL.model_copy(update={"hourglass": HourglassSettings(stacks=2, features=16, depth=2, image_size=32)})
    with pytest.raises(CheckpointError, match=r"of another network than train.hourglass describes"):
        load_start(Branches(other, hand), tmp_path / "one")
