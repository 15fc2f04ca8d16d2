"""The command `detect show`."""

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from s2hand.datasets.cameras import Box
from s2hand.detect.cli import app
from s2hand.detect.sheet import GAP, HEADER
from s2hand.detect.tiles import TILE


@pytest.fixture
def shards(write_run, natural_hands, photographs):
    """A run over three of the photographs, a right and a left hand in the first."""
    box, sure, unsure = Box(0, 0, 128, 128), natural_hands[0], natural_hands[1] * np.float32([1, 1, 0.1])
    hands = {"00.png": [("right", box, sure), ("left", box, sure)], "02.png": [("right", box, unsure)], "04.png": []}
    return write_run(hands)


def _show(shards, images, out, *more):
    return CliRunner().invoke(app, ["show", str(shards), "--images", str(images), "--out", str(out), *more])


def test_a_sheet_is_drawn(shards, photographs, tmp_path):
    sheet = tmp_path / "new" / "sheet.png"
    result = _show(shards, photographs, sheet)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"contact sheet  {sheet}"]
    assert "drawing: 2 of 2" in result.stderr
    page = cv2.imread(str(sheet))
    assert page.shape[0] < 2 * TILE  # one row


@pytest.mark.parametrize(
    ("options", "tiles"),
    [
        (["--crops"], 3),
        (["--crops", "--most", "2", "--sort", "-confidence"], 2),
        (["--hand", "left"], 1),
        (["--max-confidence", "0.2"], 1),
        (["--min-confidence", "0.5", "--crops"], 2),
        (["--match", "0[0-1].png"], 1),
        (["--suspicious"], 2),
    ],
)
def test_options(shards, photographs, tmp_path, options, tiles):
    result = _show(shards, photographs, tmp_path / "s.png", *options)
    assert result.exit_code == 0, result.output
    assert f"drawing: {tiles} of {tiles}" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--match", "none*"], "holds no hand to draw on a contact sheet that passes --match"),
        (["--min-confidence", "0.9", "--max-confidence", "0.1"], "expected 0 <= min <= max <= 1, found 0.9 and 0.1"),
        (["--out", "sheet.jpg"], "sheet.jpg: a contact sheet is a PNG file"),
        (["--images", "elsewhere"], "elsewhere: no such folder; expected the one that the run's photographs are in"),
        (["--images", "photographs/more"], "none of 2 photographs of the run can be read there, such as 00.png"),
        (["--images", "."], "s.png: lies in the photographs' folder ., where the contact sheet would be taken for"),
        (["--out", "photographs/00.png"], "photographs/00.png: lies in the photographs' folder"),
    ],
)
def test_what_is_wrong_ends_in_one_line(shards, photographs, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    _ends_in_one_line(_show(shards, photographs, tmp_path / "s.png", *options), message)


def test_a_photograph_is_not_replaced(shards, photographs):
    before = (photographs / "00.png").read_bytes()
    _ends_in_one_line(_show(shards, photographs, photographs / "00.png"), "expected a place outside it")
    assert (photographs / "00.png").read_bytes() == before


def test_one_file_as_detect_run_takes_it(write_run, natural_hands, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 128
        for shade in (0, 200):
            frame = av.VideoFrame.from_ndarray(np.full((128, 128, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    shards = write_run({"clip.mp4#000001": [("right", Box(0, 0, 128, 128), natural_hands[0])]})
    result = _show(shards, folder / "clip.mp4", tmp_path / "s.png")
    assert result.exit_code == 0, result.output
    page = cv2.imread(str(tmp_path / "s.png"))
    assert abs(int(page[HEADER + 4, GAP + 4, 0]) - 200) < 20  # a corner of the frame
    _ends_in_one_line(_show(shards, folder, folder / "s.png"), "lies in the photographs' folder")


def test_unfinished_and_empty_runs_end_in_one_line(shards, write_run, photographs, tmp_path):
    empty = write_run({"00.png": []}, folder="empty")
    _ends_in_one_line(_show(empty, photographs, tmp_path / "s.png"), "empty: holds no hand to draw")
    (shards / "manifest.json").unlink()
    _ends_in_one_line(_show(shards, photographs, tmp_path / "s.png"), "the detection run is not complete")
    _ends_in_one_line(_show(tmp_path / "none", photographs, tmp_path / "s.png"), "none: no such folder")


def _ends_in_one_line(result, message):
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
