"""The command `detect`: what it prints, and how it ends when something is wrong."""

import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from s2hand.datasets import read_keypoints
from s2hand.detect.cli import app
from s2hand.detect.commands.options import checked
from s2hand.detect.settings import DetectSettings


def _run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def options(slim_file):
    return ["--weights", slim_file, "--device", "cpu"]


def test_run_writes_shards_a_sheet_and_a_summary(photographs, tmp_path, options):
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    (photographs / "bad.jpg").write_bytes(b"")
    result = _run("run", "--images", photographs, "--out", out, "--hand", "left", "--sheet", sheet, *options)
    assert result.exit_code == 0, result.output
    assert read_keypoints(out).num_rows == 10
    assert sheet.exists()
    values = dict(re.split(r"  +", line, maxsplit=1) for line in result.stdout.splitlines())
    assert (values["images"], values["hands"]) == ("11", "10")
    assert values["failures"] == f"1, see {out / 'failures.parquet'}"
    assert values["time"].endswith("images/s")
    assert 0 < float(values["mean confidence"]) < 1
    assert values["contact sheet"] == str(sheet)
    assert "detecting: 11 of 11" in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--images": "missing"}, "missing: no such folder"),
        ({"--images": "empty"}, "empty: holds no image"),
        ({"--weights": "none.pth"}, "none.pth: no such weight file"),
        ({"--weights": "broken.pth"}, "broken.pth: expected a PyTorch or safetensors weight file"),
        ({"--device": "cuda:99"}, "device: 'cuda:99' is not there"),
        ({"--scales": "1,two"}, "--scales: expected numbers with commas between, found '1,two'"),
        ({"--scales": "0"}, "--scales: Input should be greater than 0, found 0.0"),
        ({"--sheet": "sheet.gif"}, "sheet.gif: a contact sheet is a PNG file"),
        ({"--sheet": "photographs/00.png"}, "photographs/00.png: lies in the photographs' folder"),
        ({"--images": "photographs/00.png", "--sheet": "photographs/00.png"}, "is the photograph itself"),
        ({"--out": "file"}, "file: is a file or below one"),
        ({"--scales": "1,2"}, "--scales: of OpenPose's network only; leave it out, or give its --weights"),
        ({"--body-weights": "none.pth"}, "--body-weights: of --localize body only; leave it out, or say so"),
        ({"--localize": "body", "--body-weights": "none.pth"}, "none.pth: no such weight file"),
    ],
)
def test_what_is_wrong_ends_in_one_line(photographs, tmp_path, options, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    (tmp_path / "file").write_bytes(b"")
    arguments = {
        "--images": photographs,
        "--out": tmp_path / "out",
        **dict(zip(options[::2], options[1::2], strict=True)),
    }
    result = _run("run", *[part for pair in {**arguments, **change}.items() for part in pair])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--boxes", "boxes.csv", "--localize", "slim"], "boxes and localize both say where the hands are"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "workers and scheduler: leave out one"),
    ],
)
def test_options_that_exclude_each_other(photographs, tmp_path, options, change, message):
    result = _run("run", "--images", photographs, "--out", tmp_path / "out", *options, *change)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {message}")
    assert len(result.stderr.splitlines()) == 1


def test_the_hands_of_a_file_of_boxes(photographs, tmp_path, options):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("image,x,y,w,h,hand\n00.png,0,0,20,20,left\n00.png,5,5,20,20,right\ngone.png,0,0,5,5,left\n")
    result = _run("run", "--images", photographs, "--out", tmp_path / "out", "--boxes", boxes, *options)
    assert result.exit_code == 0, result.output
    assert read_keypoints(tmp_path / "out")["hand"].to_pylist() == ["left", "right"]
    assert "not in the folder    1 images that the file of boxes names" in result.stdout


def test_json_for_machines_and_nothing_else(photographs, tmp_path, options):
    result = _run("run", "--images", photographs, "--out", tmp_path / "out", *options, "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["images"], found["hands"], found["failures"], found["sheets"]) == (10, 10, 0, [])
    result = _run("export", tmp_path / "out", "--out", tmp_path / "o.csv", "--format", "csv", "--json", "--quiet")
    assert json.loads(result.output) == {"hands": 10, "format": "csv", "out": str(tmp_path / "o.csv")}
    result = _run("stats", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["hands"] == 10
    assert "reading: " in result.stderr


def test_what_a_finder_takes_for_hands_is_looked_at_twice():
    unsure = {"whole": 0.0, "slim": 0.3, "body": 0.3}
    assert {where: checked(DetectSettings, localize=where).least_confidence for where in unsure} == unsure
    assert checked(DetectSettings, localize="slim", min_confidence=0.1).least_confidence == 0.1


def test_wrong_options_are_usage_errors(photographs, tmp_path):
    assert _run("run", "--images", photographs, "--out", tmp_path, "--hand", "both").exit_code == 2
    assert _run("run", "--images", photographs, "--out", tmp_path, "--shard-size", "0").exit_code == 2


def test_help_loads_nothing_heavy():
    code = (
        "import sys, s2hand.detect.cli\n"
        "heavy = {'torch', 'cv2', 'numpy', 'pyarrow', 'numba', 'pydantic', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
