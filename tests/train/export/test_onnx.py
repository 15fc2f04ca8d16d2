"""The ONNX file, read by nothing of ours."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.train.checkpoint import hand_digest
from s2hand.train.export.network import OUTPUTS
from s2hand.train.export.run import TOLERANCE, export_checkpoint
from s2hand.train.mano import load_hand_model
from s2hand.train.predict import load_network


@pytest.fixture(scope="module")
def written(checkpoint, tmp_path_factory):
    """The file, and what the export said; an export takes long, so all tests share one."""
    path = tmp_path_factory.mktemp("onnx") / "new" / "hand.onnx"
    return path, export_checkpoint(checkpoint, "onnx", path)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_onnxruntime_computes_what_the_network_does(written, checkpoint, batch):
    session = onnxruntime.InferenceSession(str(written[0]), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(batch)
    images = (
        random.random((batch, 3, 64, 64), np.float32)
        * np.linspace(0.2, 1, batch, dtype=np.float32)[:, None, None, None]
    )
    K = np.tile(np.array([[150, 0, 30], [0, 140, 33], [0, 0, 1]], np.float32), (batch, 1, 1))
    found = dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"images": images, "K": K}), strict=True))
    network, _ = load_network(checkpoint, device="cpu")
    with torch.no_grad():
        hands = network(torch.from_numpy(images), torch.from_numpy(K))
    code, texture = hands.code, hands.texture
    expected = {**vars(hands), **vars(code), **vars(texture)}
    for name in OUTPUTS:
        np.testing.assert_allclose(found[name], expected[name].numpy(), rtol=1e-4, atol=1e-4, err_msg=name)
    assert batch == 1 or np.ptp(found["joints_px"], axis=0).max() > 3  # it depends on the picture


def test_the_export_says_how_near_it_came(written):
    _, done = written
    assert 0 < done.difference.value < TOLERANCE
    assert (done.image_size, done.is_mano) == (64, False)


def test_the_file_says_what_it_is(written):
    model = onnx.load(written[0])
    onnx.checker.check_model(model)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["image_size"] == "64"
    assert facts["hand"] == hand_digest(load_hand_model())
    assert facts["hand_model"] == "open, Apache-2.0"
    assert json.loads(facts["joints"]) == list(JOINT_NAMES)
    assert json.loads(facts["settings"])["seed"] == 7
    assert json.loads(facts["samples"]) == {"crop": "square", "crop_scale": 1.0}
    assert json.loads(facts["trained_with"])["torch"] == torch.__version__
    assert {output.name: output.doc_string for output in model.graph.output} == dict(OUTPUTS)


def test_the_file_says_nothing_about_this_machine(written):
    content = written[0].read_bytes()
    assert str(Path(__file__).parents[3]).encode() not in content
    assert b"encoder.py" not in content


def test_a_missing_package_is_named(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match="needs the package onnxruntime, which is not installed"):
        export_checkpoint(checkpoint, "onnx", tmp_path / "hand.onnx")
