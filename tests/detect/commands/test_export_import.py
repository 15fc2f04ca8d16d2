"""`detect export` and `detect import`: what they print, and how they end when something is wrong."""

import re

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from s2hand.datasets.cameras import Box
from s2hand.datasets.exports import FORMATS
from s2hand.datasets.imports import FORMATS as IMPORTS
from s2hand.datasets.keypoints import read_keypoints
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import ShardStore, fingerprint
from s2hand.detect.cli import app


def _run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def shards(tmp_path):
    """A finished run of one left hand in photographs/é.png, 8 x 6 pixels."""
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "é.png").write_bytes(cv2.imencode(".png", np.zeros((6, 8, 3), np.uint8))[1].tobytes())
    source = fingerprint(tmp_path / "photographs", "é.png")
    points = np.random.default_rng(0).uniform(0.1, 1, (21, 3)).astype(np.float32)
    store = ShardStore(tmp_path / "shards", Provenance("slim", "aa", {}, "cc"))
    with store.writing():
        store.write(0, [source], [HandRow("é.png", source.sha256, 8, 6, "left", 0, Box(0, 0, 8, 8), points)], [])
        store.finish(1)
    return store.folder


@pytest.mark.parametrize("name", IMPORTS)
def test_there_and_back(shards, tmp_path, name):
    labels = tmp_path / "labels.json"
    result = _run("export", shards, "--out", labels, "--format", name)
    assert result.exit_code == 0, result.output
    assert "1" in result.stdout.splitlines()[0]
    assert str(labels) in result.stdout
    assert "exporting: 1 of 1" in result.stderr
    again = tmp_path / "again"
    result = _run(
        *("import", labels, "--images", tmp_path / "photographs", "--out", again, "--format", name, "--hand", "left")
    )
    assert result.exit_code == 0, result.output
    values = dict(re.split(r"  +", line, maxsplit=1) for line in result.stdout.splitlines())
    assert values == {"images": "1", "hands": "1", "failures": "0", "keypoints": str(again)}
    before, after = read_keypoints(shards).to_pylist()[0], read_keypoints(again).to_pylist()[0]
    assert (after["keypoints"], after["hand"], after["image"]) == (before["keypoints"], "left", "é.png")


def test_the_help_names_the_formats():
    for command, formats in (("export", FORMATS), ("import", IMPORTS)):
        shown = "".join(_run(command, "--help").stdout.replace("│", " ").split())
        assert ",".join(formats) in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "none", "--out", "o", "--format", "csv"), "none: no such folder; run detection first"),
        (("export", "shards", "--out", "o", "--format", "voc"), "format: expected one of coco, coco-wholebody,"),
        (("export", "shards", "--out", "shards", "--format", "csv"), "shards: is a folder; this format writes a file"),
        (("export", "shards", "--out", "old", "--format", "csv"), "old: is there already; give another --out, or"),
        (("import", "none", "--images", "photographs", "--out", "o", "--format", "coco"), "none: no such file"),
        (("import", "old", "--images", "none", "--out", "o", "--format", "coco"), "none: expected the folder"),
        (("import", "old", "--images", "photographs", "--out", "o", "--format", "coco"), "old: not valid JSON"),
    ],
)
def test_what_is_wrong_ends_in_one_line(shards, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("")
    result = _run(*arguments)
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith(f"error: {message}")
    assert not (tmp_path / "o").exists()


def test_overwrite(shards, tmp_path):
    (tmp_path / "out.csv").write_text("")
    assert _run("export", shards, "--out", tmp_path / "out.csv", "--format", "csv", "--overwrite").exit_code == 0
    assert (tmp_path / "out.csv").read_text("utf-8").startswith('"image","sha256"')
