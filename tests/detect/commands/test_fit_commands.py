"""`detect fit` and `detect fit-boxes`: what they print and write, and how they end when something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from s2hand.detect.boxes.fit.loop import fit_boxes
from s2hand.detect.cli import app
from s2hand.detect.fit.loop import fit
from s2hand.detect.fit.training import FitSummary

MEASURED = {
    "fit": {"mean": 0.0771, "within_0.1": 0.827},
    "fit-boxes": {"precision": 0.9, "recall": 0.8, "sides": 0.95},
}


@pytest.fixture(params=MEASURED)
def command(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A command whose training ends at once, and what it was asked for."""
    asked: dict[str, Any] = {}

    def train(settings: Any, data: Any, out: Path, progress: Any, start: str | None) -> FitSummary:
        asked.update(settings=settings, out=out, start=start)
        progress("training", 1, 1)
        return FitSummary(out / "weights.safetensors", 160, MEASURED[request.param])

    for real, module in ((fit, "s2hand.detect.fit.loop.fit"), (fit_boxes, "s2hand.detect.boxes.fit.loop.fit_boxes")):
        assert real.__name__ == module.rpartition(".")[2]
        monkeypatch.setattr(module, train)
    for pack in ("train.h5", "eval.h5"):
        (tmp_path / pack).touch()  # read by the training only
    return request.param, asked


def run(name: str, folder: Path, *more: str) -> Any:
    return CliRunner().invoke(app, [name, "--data", str(folder), "--out", str(folder / "out"), *more])


def test_the_settings_are_those_of_the_preset_and_the_options(command: Any, tmp_path: Path) -> None:
    name, asked = command
    (tmp_path / "preset.yaml").write_text(yaml.safe_dump({"samples": 640, "seed": 3}))
    done = run(name, tmp_path, "--params", str(tmp_path / "preset.yaml"), "--workers", "1", "--start", "slim", "--json")
    assert done.exit_code == 0, done.output
    assert (asked["settings"].samples, asked["settings"].seed, asked["settings"].workers) == (640, 3, 1)
    assert (asked["out"], asked["start"]) == (tmp_path / "out", "slim")
    weights = f"{tmp_path}/out/weights.safetensors"
    assert json.loads(done.stdout) == {"weights": weights, "samples": 160, **MEASURED[name]}


def test_the_summary_has_what_was_measured(command: Any, tmp_path: Path) -> None:
    name, asked = command
    done = run(name, tmp_path)
    assert (done.exit_code, asked["start"]) == (0, None)
    assert "weights.safetensors" in done.stdout
    for value in MEASURED[name].values():
        assert f"{value:.3f}" in done.stdout


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("samples: -1", "samples: "),
        ("no_such: 1", "no_such: "),
        ("[]: {", "not valid YAML: "),
        ("- 1", "the whole file: "),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_a_wrong_preset_ends_in_one_line(command: Any, tmp_path: Path, text: str | None, line: str) -> None:
    preset = tmp_path / "preset.yaml"
    if text is not None:
        preset.write_text(text)
    done = run(command[0], tmp_path, "--params", str(preset))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {preset}: {line}")
    assert len(done.stderr.splitlines()) == 1
    assert command[1] == {}
