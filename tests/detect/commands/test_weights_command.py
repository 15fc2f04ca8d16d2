"""`detect weights`: what it prints, and how it ends."""

import os
import re
from dataclasses import replace

import huggingface_hub
import pytest
import torch
from typer.testing import CliRunner

from s2hand.datasets.files import sha256_file
from s2hand.detect import hub, weights
from s2hand.detect.cli import app
from s2hand.detect.hub import BODY, HAND, packaged_path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache: a folder that holds what was fetched."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda repository, name: str(folder / name) if (folder / name).exists() else None,
    )
    return folder


@pytest.fixture
def published(openpose_file, monkeypatch):
    """The file of random weights as if it were the published one."""
    known = replace(HAND, size=openpose_file.stat().st_size, sha256=sha256_file(openpose_file))
    monkeypatch.setattr(hub, "PUBLISHED", (known, BODY))
    monkeypatch.setattr(weights, "PUBLISHED", (known, BODY))
    return openpose_file


def _run(*arguments):
    return CliRunner().invoke(app, ["weights", *[str(argument) for argument in arguments]])


def _rows(text):
    lines = [line.strip() for line in text.splitlines() if "  " in line]
    return dict(re.split(r"  +", line, maxsplit=1) for line in lines)


def _error(result):
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_list_says_what_there_is_and_where(cache):
    (cache / BODY.name).write_bytes(b"")
    result = _run("list")
    assert result.exit_code == 0, result.output
    hand, body, slim, boxes = result.stdout.split("\n\n")
    assert [part.splitlines()[0] for part in (hand, body, slim)] == [
        "hand_pose_model.pth",
        "body_pose_model.pth",
        "slim",
    ]
    assert _rows(hand)["size"] == "147,341,049 bytes"
    assert _rows(hand)["sha256"] == "b76b00d1750901abd07b9f9d8c98cc3385b8fe834a26d4b4f0aad439e75fc600"
    assert "non-commercial" in _rows(hand)["licence"]
    assert _rows(hand)["place"] == "not fetched; run `detect weights fetch hand_pose_model.pth`"
    assert _rows(body)["place"] == str(cache / BODY.name)
    assert _rows(slim)["place"] == str(packaged_path())
    assert _rows(slim)["sha256"] == sha256_file(packaged_path())
    assert _rows(boxes)["place"] == str(packaged_path("slim-boxes"))


def test_fetch_prints_the_path(cache, published, monkeypatch):
    def download(repository, name, force_download):
        (cache / name).write_bytes(published.read_bytes())
        return str(cache / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    result = _run("fetch", "hand_pose_model.pth")
    assert (result.exit_code, result.stdout) == (0, f"{cache / HAND.name}\n")
    assert "non-commercial" in result.stderr


def test_fetch_without_a_network_ends_in_one_line(cache, monkeypatch):
    def download(repository, name, force_download):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert "can't be fetched from the Hugging Face Hub" in _error(_run("fetch", "openpose-body"))


def test_fetch_of_an_unknown_name_ends_in_one_line():
    assert "foot: no known weights; expected one of hand_pose_model.pth" in _error(_run("fetch", "foot"))


def test_verify_knows_a_published_file(published):
    result = _run("verify", published)
    assert result.exit_code == 0, result.output
    rows = _rows(result.stdout)
    assert rows["known"] == "hand_pose_model.pth, OpenPose hand network"
    assert rows["loads"].startswith("yes, 104 tensors, OpenPose hand network")
    assert rows["sha256"] == sha256_file(published)


@pytest.mark.parametrize("name", ["slim", "slim-boxes"])
def test_verify_knows_a_packaged_file(name):
    assert _run("verify", name).exit_code == 0


def test_verify_refuses_a_truncated_file(published, tmp_path):
    cut = tmp_path / HAND.name
    cut.write_bytes(published.read_bytes())
    size = cut.stat().st_size
    os.truncate(cut, 5000)
    result = _run("verify", cut)
    assert f"expected hand_pose_model.pth of {size:,} bytes, found 5,000: truncated" in _error(result)
    assert _rows(result.stdout)["loads"] == "no"


def test_verify_refuses_a_damaged_file(published, tmp_path):
    damaged = tmp_path / HAND.name
    content = bytearray(published.read_bytes())
    content[1_000_000] ^= 1
    damaged.write_bytes(content)
    result = _run("verify", damaged)
    assert f"with sha256 {sha256_file(published)}, found {sha256_file(damaged)}" in _error(result)
    assert _rows(result.stdout)["known"] == "no"


def test_verify_says_when_an_unknown_file_loads_all_the_same(random_tensors, tmp_path):
    path = tmp_path / "converted.pth"
    torch.save(random_tensors, path)
    result = _run("verify", path)
    assert f"{path}: expected one of hand_pose_model.pth of 147,341,049 bytes" in _error(result)
    assert _rows(result.stdout)["loads"].startswith("yes, 104 tensors, OpenPose hand network")


def test_verify_of_no_file_ends_in_one_line(tmp_path):
    assert "no such weight file" in _error(_run("verify", tmp_path / "none.pth"))
