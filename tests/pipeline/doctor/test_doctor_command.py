"""`s2hand doctor` as a command: table, JSON, exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2hand.pipeline.cli import app

KEYS = {"name", "state", "found", "used_for", "what_to_do"}


def doctor(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments])


def by_name(result):
    return {row["name"]: row for row in json.loads(result.stdout)}


def test_json_is_a_list_of_rows(place):
    result = doctor("--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert all(set(row) == KEYS for row in rows)
    assert by_name(result)["parameters"]["state"] == "ok"


def test_the_table_ends_with_a_verdict(place):
    result = doctor()
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "everything is there that these parameters need"
    (place.folder / "hand.npz").write_bytes(b"PK\x03\x04 cut")
    result = doctor()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "needed, but missing or broken: hand model, data set"
    assert "hand.npz: not a complete" in result.stdout


def test_wrong_parameters_are_a_row_and_the_defaults_are_looked_at(place):
    place.set(train__batch_sizes=3)
    rows = by_name(result := doctor("--json"))
    assert result.exit_code == 1
    assert rows["parameters"]["state"] == "broken"
    assert "train.batch_sizes: unknown key, did you mean batch_size?" in rows["parameters"]["found"]
    assert rows["hand model"]["state"] == "ok"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[1, 2", b"- a list"])
def test_unreadable_parameters_are_a_row(place, content):
    (place.folder / "params.yaml").write_bytes(content)
    rows = by_name(result := doctor("--json"))
    assert result.exit_code == 1
    assert rows["parameters"]["state"] == "broken"


def test_it_works_without_parameters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = by_name(result := doctor("--json"))
    assert result.exit_code == 0, result.output
    assert rows["parameters"]["found"] == "params.yaml is not here: the package's defaults are looked at"


def test_parameters_that_were_named_have_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = by_name(result := doctor("--json", "--params", "mistyped.yaml"))
    assert result.exit_code == 1
    assert rows["parameters"]["state"] == "missing"
    assert rows["parameters"]["what_to_do"] == "correct --params"


def test_what_is_missing_is_the_exit_code_of_the_process(place):
    place.set(hand_model="nowhere.pkl")
    command = [str(Path(sys.executable).with_name("s2hand")), "doctor", "--params", "params.yaml"]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "needed, but missing or broken: hand model"
