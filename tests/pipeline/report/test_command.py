"""The command `s2hand report`: where the page is, and one line for what is wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2hand.pipeline.cli import app


def test_the_page_is_written_and_its_size_said(mini_project: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages/report.html"
    options = ("--project", str(mini_project), "--out", str(out), "--samples", "1", "--json")
    done = CliRunner().invoke(app, ["report", *options])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"out": str(out), "bytes": out.stat().st_size}
    assert "report: 6 of 6" in done.stderr


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--project", "."), "metrics.json: no such file; expected a project that `dvc repro` has run in"),
        (("--choose", "gone.jpg"), "--choose gone.jpg: no such hand among the 8 held back"),
        (("--against", "nowhere"), "--against nowhere: "),
    ],
)
def test_what_is_wrong_ends_in_one_line_and_writes_nothing(
    mini_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", "--project", str(mini_project), "--out", str(out), "--quiet", *options])
    assert (done.exit_code, done.stdout) == (1, "")
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()
