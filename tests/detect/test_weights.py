"""Weight files of every kind, whole and broken."""

import os
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from s2hand.datasets.files import sha256_file
from s2hand.detect import hub, weights
from s2hand.detect.body.network import published_shapes as body_shapes
from s2hand.detect.weights import WeightsError, read_weights, weights_path


@pytest.mark.parametrize("zipped", [True, False])
def test_published_weights_are_recognised(random_tensors, tmp_path, zipped):
    path = tmp_path / "any name"
    torch.save(random_tensors, path, _use_new_zipfile_serialization=zipped)
    weights = read_weights(path)
    assert (weights.kind, weights.sha256) == ("openpose-hand", sha256_file(path))
    assert torch.equal(weights.tensors["conv1_1.bias"], random_tensors["conv1_1.bias"])


def test_safetensors_are_recognised_by_content(random_tensors, tmp_path):
    path = tmp_path / "weights.bin"
    save_file({name: tensor.half() for name, tensor in random_tensors.items()}, path)
    assert read_weights(path).kind == "openpose-hand"
    save_file({"stem.weight": torch.zeros(3)}, path, metadata={"network": "slim", "note": "small"})
    assert read_weights(path).kind == "slim"
    assert read_weights(path).metadata["note"] == "small"


def test_further_tensors_are_ignored(random_tensors, tmp_path):
    torch.save({**random_tensors, "more": torch.zeros(1)}, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").kind == "openpose-hand"


def _refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_a_missing_file_is_refused(tmp_path):
    assert "no such weight file; expected 'slim', 'openpose', 'openpose-body' or the path of one" in _refusal(
        tmp_path / "none.pth"
    )


def test_a_folder_is_refused(tmp_path):
    assert "found a folder" in _refusal(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 100, 100_000, 70_000_000])
def test_a_truncated_file_is_refused(openpose_file, tmp_path, kept):
    path = tmp_path / "cut.pth"
    with openpose_file.open("rb") as whole:
        path.write_bytes(whole.read(kept))
    text = _refusal(path)
    assert f"found {kept:,} bytes that are not one, or not a whole one" in text
    assert "147,341,049" in text


@pytest.mark.parametrize("kept", [5000, 20_000_000])
def test_a_truncated_file_of_the_old_format_is_refused(random_tensors, tmp_path, kept):
    path = tmp_path / "cut.pth"
    torch.save(random_tensors, path, _use_new_zipfile_serialization=False)
    os.truncate(path, kept)
    assert f"found {kept:,} bytes" in _refusal(path)


def test_a_truncated_safetensors_file_is_refused(random_tensors, tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file({"conv1_1.bias": random_tensors["conv1_1.bias"]}, path)
    os.truncate(path, path.stat().st_size - 10)
    assert "expected a whole safetensors file" in _refusal(path)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 not a network", b"text\n", b"PK\x03\x04 zip?", b"\0" * 64])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert "expected a PyTorch or safetensors weight file" in _refusal(path)


def test_a_malicious_pickle_runs_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "bomb.pth"
    path.write_bytes(pickle.dumps(Bomb()))
    _refusal(path)
    torch.save({"conv1_1.weight": Bomb()}, path)
    _refusal(path)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "w.pth")
    assert "unknown network" in _refusal(tmp_path / "w.pth")
    assert "found 1 others (layer.weight)" in _refusal(tmp_path / "w.pth")
    torch.save([torch.zeros(2)], tmp_path / "w.pth")
    assert "expected a mapping of names to tensors, found list" in _refusal(tmp_path / "w.pth")


def test_missing_tensors_are_counted_and_named(random_tensors, tmp_path):
    fewer = {name: t for name, t in random_tensors.items() if "stage6" not in name}
    torch.save(fewer, tmp_path / "w.pth")
    text = _refusal(tmp_path / "w.pth")
    assert re.search(r"expected 104 tensors, found 90 of them .* missing is Mconv1_stage6\.weight", text)


def test_a_tensor_of_another_shape_is_named(random_tensors, tmp_path):
    torch.save({**random_tensors, "conv6_2_CPM.bias": torch.zeros(19)}, tmp_path / "w.pth")
    assert "conv6_2_CPM.bias: expected shape (22,), found (19,)" in _refusal(tmp_path / "w.pth")


@pytest.fixture
def body_tensors():
    """Tensors of the body network that are all zero."""
    return {name: torch.zeros(1).expand(shape) for name, shape in body_shapes().items()}


def test_body_weights_are_recognised(body_tensors, tmp_path):
    torch.save(body_tensors, tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth").kind == "openpose-body"
    fewer = {name: t for name, t in body_tensors.items() if "stage6_L2" not in name}
    torch.save(fewer, tmp_path / "w.pth")
    text = _refusal(tmp_path / "w.pth")
    assert re.search(r"OpenPose body network: expected 184 tensors, found 170 .* is Mconv1_stage6_L2\.weight", text)


def test_another_kind_than_the_expected_is_refused(body_tensors, openpose_file, tmp_path):
    torch.save(body_tensors, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"w.pth: expected weights of the OpenPose hand network .* or slim hand network"
    ):
        read_weights(tmp_path / "w.pth", ("openpose-hand", "slim"))
    with pytest.raises(WeightsError, match=r"expected weights of the OpenPose body .*found those of the OpenPose hand"):
        read_weights(openpose_file, ("openpose-body",))


@pytest.mark.parametrize(
    ("name", "size"), [("hand_pose_model.pth", "147,341,049"), ("body_pose_model.pth", "209,267,595")]
)
def test_a_truncated_file_is_compared_with_the_published_one_of_its_name(openpose_file, tmp_path, name, size):
    path = tmp_path / name
    with openpose_file.open("rb") as whole:
        path.write_bytes(whole.read(100_000))
    text = _refusal(path)
    assert f"({name}, {size} bytes), found 100,000 bytes that are not one" in text
    assert len(re.findall(r"_pose_model", text)) == 2  # in the path and as expected: the other one is not mentioned


@pytest.fixture
def published(openpose_file, tmp_path, monkeypatch):
    """The published file's description, changed to fit random weights; the hub's cache holds a copy of these."""
    known = replace(hub.HAND, size=openpose_file.stat().st_size, sha256=sha256_file(openpose_file))
    for module in (hub, weights):
        monkeypatch.setattr(module, "PUBLISHED", (known, hub.BODY))
    path = tmp_path / known.name
    path.write_bytes(openpose_file.read_bytes())
    monkeypatch.setattr(hub, "cached_path", lambda one: path if one == known else None)
    return path


def test_openpose_is_the_fetched_file(published):
    assert weights_path("openpose") == published
    assert read_weights("openpose").kind == "openpose-hand"


@pytest.mark.parametrize(
    ("name", "file"), [("openpose", "hand_pose_model.pth"), ("openpose-body", "body_pose_model.pth")]
)
def test_openpose_that_was_not_fetched_is_refused(name, file, monkeypatch):
    monkeypatch.setattr(hub, "cached_path", lambda known: None)
    with pytest.raises(WeightsError, match=f"{name}: not fetched yet; run `detect weights fetch {file}`"):
        weights_path(name)


@pytest.mark.parametrize("source", ["openpose", "path"])
def test_a_damaged_published_file_is_refused(published, source):
    content = bytearray(published.read_bytes())
    content[1_000_000] ^= 1
    published.write_bytes(content)
    with pytest.raises(WeightsError, match=r"with sha256 [0-9a-f]{64}, found [0-9a-f]{64}: damaged"):
        read_weights(published if source == "path" else source)


def test_openpose_that_is_cut_off_is_refused(published):
    size = published.stat().st_size
    os.truncate(published, 1000)
    with pytest.raises(WeightsError, match=f"of {size:,} bytes, found 1,000: truncated"):
        read_weights("openpose")
