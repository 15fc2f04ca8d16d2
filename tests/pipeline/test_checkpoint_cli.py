"""`s2hand checkpoint`: what it says, what it writes, how it ends."""

import gzip
import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from s2hand.pipeline.cli import app
from s2hand.train.checkpoint import WEIGHTS, Identity, hand_digest, write_weights
from s2hand.train.mano import load_hand_model
from s2hand.train.model import HandNetwork
from s2hand.train.settings import EncoderSettings, TrainSettings

SETTINGS = TrainSettings(batch_size=32, encoder=EncoderSettings(pretrained="never"))
LAYOUT = Path(__file__).parents[1] / "train" / "reference" / "mano_layout.pkl.gz"


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl"
    path.write_bytes(gzip.decompress(LAYOUT.read_bytes()))
    return path


@pytest.fixture(scope="module")
def checkpoints(mano, tmp_path_factory):
    """Folders of untrained networks of the open hand and of the other."""
    folders = {}
    for name, source in (("open", "open"), ("mano", mano)):
        folder, hand = tmp_path_factory.mktemp(name), load_hand_model(source)
        torch.manual_seed(0)
        network = HandNetwork(SETTINGS.encoder, hand)
        write_weights(folder / WEIGHTS, network.state_dict(), Identity(SETTINGS, hand_digest(hand), "d", 64, "c"))
        folders[name] = folder
    return folders


def run(*arguments):
    return CliRunner().invoke(app, ["checkpoint", *[str(argument) for argument in arguments]])


def rows(text):
    lines = [line.strip() for line in text.splitlines()]
    return dict(re.split(r"  +", line, maxsplit=1) for line in lines)


def test_show_names_the_open_hand_and_what_was_chosen(checkpoints):
    result = run("show", "--checkpoint", checkpoints["open"])
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert found["hand model"] == f"open, digest {hand_digest(load_hand_model())}"
    assert found["crops"] == "64 pixels"
    assert found["made by"] == f"s2hand 0.1.0, torch {torch.__version__}"
    assert found["settings"] == "2 differ from their defaults"
    assert (found["train.batch_size"], found["train.encoder.pretrained"]) == ("32", '"never"')
    size = (checkpoints["open"] / WEIGHTS).stat().st_size
    assert result.stdout.splitlines()[-1].split() == [WEIGHTS, f"{size:,}", "bytes"]


def test_show_names_a_given_hand_only_if_it_is_the_one(checkpoints, mano):
    assert rows(run("show", "--checkpoint", checkpoints["mano"]).stdout)["hand model"].startswith("not known")
    named = rows(run("show", "--checkpoint", checkpoints["mano"], "--hand-model", mano).stdout)["hand model"]
    assert named.startswith(f"{mano}, digest")
    other = rows(run("show", "--checkpoint", checkpoints["open"], "--hand-model", mano).stdout)
    assert other["hand model"].startswith("open, digest")
    assert other["--hand-model"] == f"another hand, digest {hand_digest(load_hand_model(mano))}"


def test_show_refuses_a_hand_that_is_none(checkpoints):
    result = run("show", "--checkpoint", checkpoints["open"], "--hand-model", "gone.pkl")
    assert result.exit_code == 1
    assert "gone.pkl: no such file" in result.output


def test_show_as_json_has_everything(checkpoints):
    found = json.loads(run("show", "--checkpoint", checkpoints["open"] / WEIGHTS, "--json").stdout)
    assert found["hand_name"] == "open"
    assert found["settings"] == SETTINGS.model_dump(mode="json")
    assert found["differing"] == {"batch_size": 32, "encoder.pretrained": "never"}
    assert found["files"] == {WEIGHTS: (checkpoints["open"] / WEIGHTS).stat().st_size}


def test_export_writes_a_file_and_says_how_near_it_is(checkpoints, tmp_path):
    out = tmp_path / "hand.pt"
    result = run("export", "--checkpoint", checkpoints["open"], "--format", "torchscript", "--out", out)
    assert result.exit_code == 0, result.output
    assert rows(result.stdout)["checked"].startswith("largest difference from the network ")
    assert "MANO" not in result.stdout
    assert out.stat().st_size > 1_000_000


def test_export_of_mano_ends_with_its_licence(checkpoints, mano, tmp_path):
    given = ("--checkpoint", checkpoints["mano"], "--hand-model", mano, "--format", "torchscript")
    result = run("export", *given, "--out", tmp_path / "hand.pt")
    assert result.exit_code == 0, result.output
    assert rows(result.stdout)["licence"] == "the file holds MANO's arrays: MANO's licence forbids passing it on"


def test_a_wrong_pairing_ends_in_one_line(checkpoints, tmp_path):
    result = run("export", "--checkpoint", checkpoints["mano"], "--out", tmp_path / "hand.onnx", "--quiet")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "trained with another hand model than 'open': expected the one of digest" in line
    assert not (tmp_path / "hand.onnx").exists()


def test_no_checkpoint_ends_in_one_line(tmp_path):
    result = run("show", "--checkpoint", tmp_path)
    assert result.exit_code == 1
    assert "weights.safetensors: no such file; train first" in result.stderr
