"""`s2hand metrics`: the table on the terminal, as many digits as say something."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2hand.pipeline.cli import app

METRICS: dict[str, Any] = {
    "dataset": "folder",
    "hands": 3,
    "network": {"root_mpjpe_cm": 3.14159, "mpjpe_px": 12.345, "bone_spread": 0.000123, "within_limits": 0.0},
    "constant": {"root_mpjpe_cm": 10.0},
}


def metrics(file: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["metrics", "--file", str(file), *options])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "metrics.json").write_text(json.dumps(METRICS))
    return tmp_path / "metrics.json"


def test_the_table(file: Path) -> None:
    lines = metrics(file).stdout.splitlines()
    assert lines[0].strip() == "3 hands held back, folder"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    assert [row[1:] for row in cells] == [
        ["3.142", "10.0", ""],
        ["12.3", "", ""],
        ["0.000", "", ""],
        ["0.00012", "", ""],
    ]


def test_json_and_silence(file: Path) -> None:
    assert json.loads(metrics(file, "--json").stdout) == METRICS
    assert metrics(file, "--quiet").output == ""


def test_another_file_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    done = metrics(tmp_path / "other.json")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "other.json: expected the metrics that the evaluate stage writes" in done.stderr
