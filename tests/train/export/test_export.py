"""Exports: checked before they are kept, and only of what belongs together."""

import json
import warnings

import pytest
import torch

from s2hand.train.checkpoint import CheckpointError, hand_digest
from s2hand.train.export import run
from s2hand.train.export.network import OUTPUTS, FlatNetwork, draw_crops
from s2hand.train.export.run import ExportError, export_checkpoint, largest_difference
from s2hand.train.export.torchscript_file import METADATA, run_torchscript
from s2hand.train.mano import load_hand_model
from s2hand.train.predict import load_network


def test_torchscript_computes_what_the_network_does(checkpoint, tmp_path):
    done = export_checkpoint(checkpoint / "weights.safetensors", "torchscript", tmp_path / "hand.pt")
    assert done.difference.value < 1e-4
    inside = {METADATA: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        loaded = torch.jit.load(tmp_path / "hand.pt", _extra_files=inside)
    assert json.loads(inside[METADATA])["image_size"] == "64"
    images, K = draw_crops(4, 64, seed=3)
    with torch.no_grad():
        found, hands = loaded(images, K), load_network(checkpoint, device="cpu")[0](images, K)
    assert len(found) == len(OUTPUTS)
    torch.testing.assert_close(found[5], hands.joints_cam, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[9], hands.texture.lights, atol=1e-5, rtol=0)


def test_a_file_that_computes_something_else_is_not_kept(checkpoint, tmp_path, monkeypatch):
    def wrong(path):
        right = run_torchscript(path)
        return lambda *crops: [x + 2e-4 * (name == "scale") for name, x in zip(OUTPUTS, right(*crops), strict=True)]

    monkeypatch.setattr(run, "run_torchscript", wrong)
    path = tmp_path / "hand.pt"
    path.write_bytes(b"an earlier one")
    with pytest.raises(ExportError, match=r"hand\.pt: not written: scale differs from the network's by 0\.000"):
        export_checkpoint(checkpoint, "torchscript", path)
    assert [one.name for one in tmp_path.iterdir()] == ["hand.pt"]
    assert path.read_bytes() == b"an earlier one"


@pytest.mark.parametrize(
    ("output", "spoil", "expected"),
    [
        ("lights", lambda x: x, 0.0),
        ("joints_px", lambda x: x * 1.5, 0.5),  # pixels: a share
        ("joints_px", lambda x: x * float("nan"), float("inf")),
        ("joints_cam", lambda x: x[:, :20], float("inf")),
        ("colors", lambda x: x.double() + 0.25, 0.25),
    ],
)
def test_differences_are_those_of_the_worst_output(checkpoint, output, spoil, expected):
    network = FlatNetwork(load_network(checkpoint, device="cpu")[0]).eval()

    def found(*crops):
        with torch.no_grad():
            return [spoil(x) if name == output else x for name, x in zip(OUTPUTS, network(*crops), strict=True)]

    difference = largest_difference(network, found, 64)
    assert difference.value == pytest.approx(expected, abs=1e-6)
    assert difference.output == output or expected == 0


def test_crops_are_drawn_alike_and_seen_by_plausible_cameras():
    (images, K), (again, _) = draw_crops(3, 64, seed=1), draw_crops(3, 64, seed=1)
    assert torch.equal(images, again)
    assert (images.shape, K.shape) == ((3, 3, 64, 64), (3, 3, 3))
    assert ((K[:, 0, 0] >= 64) & (K[:, 0, 0] <= 256) & (K[:, 0, 0] == K[:, 1, 1])).all()


def test_another_hand_is_refused_by_both_digests(checkpoint, mano_pickle, tmp_path):
    expected, found = hand_digest(load_hand_model()), hand_digest(load_hand_model(mano_pickle))
    message = f"expected the one of digest {expected[:16]}, found {found[:16]}"
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(checkpoint, "torchscript", tmp_path / "hand.pt", str(mano_pickle))
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file_to_write(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="expected the file to write, found a folder"):
        export_checkpoint(checkpoint, "onnx", tmp_path)
