"""Training shared by processes: the weights of one process, to float tolerance, through torch's own launcher."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from s2hand.train import loop
from s2hand.train.checkpoint import BEST, HISTORY, KEYPOINTS, STATE, WEIGHTS, read_checkpoint
from s2hand.train.crash import CRASH
from s2hand.train.loop import train
from s2hand.train.processes import Processes
from s2hand.train.settings import (
    EncoderSettings,
    HourglassSettings,
    StageSettings,
    StagesSettings,
    TrainSettings,
)

WORKER = """
import sys
from pathlib import Path
from s2hand.train.loop import train
from s2hand.train.settings import TrainSettings

train(TrainSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def settings(**changes):
    plan = StageSettings(epochs=1, learning_rate=1e-3)
    fields = {
        "stages": StagesSettings(shape=plan, keypoints=plan, joint=plan),
        "batch_size": 4,
        "freeze_batch_norm": True,
        "device": "cpu",
        "encoder": EncoderSettings(pretrained="never"),
        "hourglass": HourglassSettings(stacks=1, features=16, depth=2, image_size=32),
    }
    return TrainSettings(**fields | changes)


def run_two(folder, pack, chosen):
    """Run `train` in two processes that torchrun starts; returns what it ended with."""
    worker = folder / "worker.py"
    worker.write_text(WORKER)
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = (str(worker), chosen.model_dump_json(), str(pack), str(folder / "out"))
    return subprocess.run([*launcher, *arguments], capture_output=True, text=True, timeout=300)


def test_two_processes_give_the_weights_of_one(tiny_pack, tmp_path):
    chosen = settings()
    done = run_two(tmp_path, tiny_pack, chosen)
    assert done.returncode == 0, done.stderr
    train(chosen, tiny_pack, tmp_path / "alone")
    for name in (WEIGHTS, KEYPOINTS):
        ours, theirs = (read_checkpoint(tmp_path / folder, name).weights for folder in ("out", "alone"))
        assert ours.keys() == theirs.keys()
        for key in ours:
            torch.testing.assert_close(ours[key], theirs[key], atol=2e-4, rtol=1e-3, msg=f"{name}: {key}")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {WEIGHTS, BEST, KEYPOINTS, STATE, HISTORY, "sheets"}


def test_a_loss_that_is_not_finite_in_one_process_ends_all(broken_pack, tmp_path):
    done = run_two(tmp_path, broken_pack, settings())
    assert done.returncode != 0
    assert "E_loc is not finite for the images broken.jpg" in done.stderr
    assert (tmp_path / "out" / CRASH).is_file()


def test_a_batch_that_does_not_divide_is_refused(tiny_pack, tmp_path, monkeypatch):
    @contextmanager
    def joined(device):
        yield Processes(0, 2)

    monkeypatch.setattr(loop, "joined_processes", joined)
    with pytest.raises(ValueError, match=r"train.batch_size: expected a multiple of the 2 processes, found 5"):
        train(settings(batch_size=5), tiny_pack, tmp_path / "out")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shares_make_up_the_whole(count):
    order = torch.arange(24).view(3, 8)
    shares = [Processes(rank, count).share(order) for rank in range(count)]
    assert all(share.shape == (3, 8 // count) for share in shares)
    assert torch.equal(torch.cat(shares, dim=1), order)
