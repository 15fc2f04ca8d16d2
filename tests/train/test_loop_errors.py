"""What a training run refuses, and what it says where it can't go on."""

import pytest
import torch

from s2hand.train.checkpoint import read_checkpoint
from s2hand.train.crash import CRASH, reproduce
from s2hand.train.gradients import NonFiniteLossError
from s2hand.train.loop import pick_device, train
from s2hand.train.processes import Processes
from s2hand.train.settings import EncoderSettings, HourglassSettings, StageSettings, StagesSettings, TrainSettings

NONE = StageSettings(epochs=0, learning_rate=1e-3)


def settings(**changes):
    """An epoch of the shape stage."""
    fields = {
        "stages": StagesSettings(shape=StageSettings(epochs=1, learning_rate=1e-3), keypoints=NONE, joint=NONE),
        "batch_size": 4,
        "hourglass": HourglassSettings(stacks=1, features=16, depth=2, image_size=32),
        "device": "cpu",
        "sheet_epochs": 0,
        "encoder": EncoderSettings(pretrained="never"),
    }
    return TrainSettings(**fields | changes)


def test_a_loss_that_is_not_finite_stops_with_term_epoch_and_image(broken_pack, tmp_path, mano_pickle):
    with pytest.raises(NonFiniteLossError, match=r"shape, epoch 1, step [12]: E_loc is not finite .* broken\.jpg;"):
        train(settings(), broken_pack, tmp_path)
    assert "E_loc is not finite for the rows [3]" in reproduce(tmp_path / CRASH)
    with pytest.raises(ValueError, match=r"from a training with another hand model than .*; give it with --hand-model"):
        reproduce(tmp_path / CRASH, str(mano_pickle))
    kept = torch.load(tmp_path / CRASH, weights_only=True)
    kept["batch"] = {name: value.clamp(max=64) for name, value in kept["batch"].items()}
    torch.save(kept, tmp_path / "mended.pt")
    assert reproduce(tmp_path / "mended.pt").startswith("all terms are finite here: E_loc ")


def test_what_reproduces_nothing_says_so(tiny_pack, tmp_path):
    (tmp_path / CRASH).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not a step that training has kept"):
        reproduce(tmp_path / CRASH)


def test_a_gradient_that_is_not_finite_stops_too(tiny_pack, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda gradients: torch.tensor(float("inf")))
    with pytest.raises(NonFiniteLossError, match=r"stage shape, epoch 1, step 1: the gradient is not finite"):
        train(settings(), tiny_pack, tmp_path)


def test_a_training_does_not_start_from_its_own_folder(tiny_pack, tmp_path):
    train(settings(), tiny_pack, tmp_path)
    before = read_checkpoint(tmp_path).weights
    with pytest.raises(ValueError, match=r"train.start: .* give it a folder of its own"):
        train(settings(start=str(tmp_path)), tiny_pack, tmp_path)
    after = read_checkpoint(tmp_path).weights
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_too_few_samples_are_refused(tiny_pack, tmp_path):
    with pytest.raises(ValueError, match=r"at least train.batch_size = 64 samples, found 8; add images"):
        train(settings(batch_size=64), tiny_pack, tmp_path)
    with pytest.raises(
        ValueError, match=r"batch_size = 6 samples, found 8, of which train.held_back keeps 3; add images"
    ):
        train(settings(batch_size=6, held_back=0.4), tiny_pack, tmp_path)


def test_processes_that_see_different_states_are_refused(tiny_pack, tmp_path, monkeypatch):
    """As where each machine has a folder of its own: the first one is a step ahead."""
    monkeypatch.setattr(Processes, "adopt_first", lambda self, tensors: tensors[0].add_(1))
    with pytest.raises(ValueError, match="the processes see different states; give them one folder that all share"):
        train(settings(), tiny_pack, tmp_path)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    with pytest.raises(ValueError, match=r"train.device: cuda"):
        pick_device("cuda")
