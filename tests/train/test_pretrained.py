"""ImageNet weights: from the cache, from the hub, or none; and nobody waits for a network that is not there."""

from contextlib import nullcontext

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

from s2hand.train import pretrained
from s2hand.train.encoder import Anchor, Encoder
from s2hand.train.settings import EncoderSettings


@pytest.fixture
def nowhere(monkeypatch):
    """No cached weights, and a hub that can't be reached."""

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(pretrained.socket, "create_connection", refuse)
    monkeypatch.setattr(pretrained, "cached_weights", lambda: None)
    pretrained._say_from_scratch.cache_clear()


def test_auto_starts_from_scratch_and_says_so_once(nowhere, caplog):
    assert pretrained.backbone_weights("auto") is None
    assert pretrained.backbone_weights("auto") is None
    assert [record.message for record in caplog.records if "from scratch" in record.message] == [
        f"no ImageNet weights here ({pretrained.REPOSITORY}): the network starts from scratch"
    ]


def test_always_fails_without_weights(nowhere):
    with pytest.raises(ValueError, match=r"train\.encoder\.pretrained: always"):
        pretrained.backbone_weights("always")


def test_a_damaged_cache_is_told_from_an_empty_one(monkeypatch, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"half a download")
    monkeypatch.setattr(pretrained, "cached_weights", lambda: tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: not a readable weights file .*; delete it"):
        pretrained.backbone_weights("auto")


def test_offline_nobody_is_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(pretrained, "cached_weights", lambda: None)
    monkeypatch.setattr(pretrained.socket, "create_connection", lambda *args, **_: asked.append(args))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert pretrained.backbone_weights("auto") is None
    assert asked == []


def test_where_the_hub_answers_they_are_downloaded(monkeypatch, tmp_path):
    asked = []

    def download(repository, name):
        asked.append(repository)
        save_file({"conv_stem.weight": torch.full((2,), 7.0)}, tmp_path / name)
        return str(tmp_path / name)

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(pretrained, "cached_weights", lambda: None)
    monkeypatch.setattr(pretrained.socket, "create_connection", lambda *args, **_: nullcontext())
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert pretrained.backbone_weights("always")["conv_stem.weight"].tolist() == [7.0, 7.0]
    assert asked == [pretrained.REPOSITORY]


def test_cached_weights_are_used(monkeypatch, tmp_path):
    anchor = Anchor(torch.zeros(3), torch.tensor([-0.09, 0.0, 0.0]))
    fresh = Encoder(EncoderSettings(pretrained="never"), anchor)
    weights = {key: value.contiguous() for key, value in fresh.backbone.state_dict().items()}
    weights["conv_stem.weight"] = torch.full_like(weights["conv_stem.weight"], 7)
    weights["classifier.weight"] = torch.zeros(1000, 1280)
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(pretrained, "cached_weights", lambda: tmp_path / "model.safetensors")
    network = Encoder(EncoderSettings(pretrained="auto"), anchor)
    assert (network.backbone.conv_stem.weight == 7).all()
