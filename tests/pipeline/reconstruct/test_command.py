"""The command `s2hand reconstruct`: one line for what is wrong, a summary of what was made."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2hand.pipeline.cli import app


def call(*options: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["reconstruct", *map(str, options)])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "stl"), "--format: Input should be 'glb', 'obj' or 'ply', found 'stl'"),
        (("--format", "glb,glb"), "--format: expected each format once, found glb,glb"),
        (("--field-of-view", 0.5), "--field-of-view: Input should be greater than 1"),
        (("--intrinsics", "gone.json"), "gone.json: no such file"),
        (
            ("--hand-model", "left"),
            "--hand-model: names the hand model, `open` or a file; which hand is shown says --hand left",
        ),
        (("--boxes", "b.csv", "--localize", "slim"), "boxes and localize both say where the hands are"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    options: tuple[object, ...], message: str, checkpoint: Path, photographs: Path, tmp_path: Path
) -> None:
    required = ("--images", photographs, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    code, output = call(*required, *options)
    assert code == 1
    assert message in output
    assert len(output.strip().splitlines()) == 1


def test_a_summary_of_what_was_made(checkpoint: Path, photographs: Path, tmp_path: Path) -> None:
    required = ("--images", photographs, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--device", "cpu")
    code, output = call(*required, "--format", "none", "--no-overlays", "--hand", "left")
    lines = dict(line.split(None, 1) for line in output.splitlines() if not line.startswith(("mean", "contact")))
    assert code == 0
    assert (lines["hands"], lines["meshes"], lines["overlays"]) == ("5", "none", "none")
    code, output = call(*required, "--format", "none", "--no-overlays", "--hand", "left", "--json", "--quiet")
    found = json.loads(output)
    assert (code, found["hands"], found["made"], found["out"]) == (0, 5, 0, str(tmp_path / "out"))
    code, output = call(*required, "--format", "none", "--no-overlays", "--hand", "left")
    assert "5, 5 of them from an earlier run" in output


def test_broken_intrinsics_are_refused_before_anything_is_detected(
    checkpoint: Path, photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "K.json").write_text("{")
    required = ("--images", photographs, "--checkpoint", checkpoint, "--out", tmp_path / "out")
    code, output = call(*required, "--intrinsics", tmp_path / "K.json")
    assert code == 1
    assert "K.json: not valid JSON" in output
    assert not (tmp_path / "out").exists()
