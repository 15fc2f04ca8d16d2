"""`s2hand evaluate` as a user types it, on small trees of the data sets."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2hand.pipeline.cli import app
from s2hand.pipeline.official.challenges import CHALLENGES
from s2hand.pipeline.official.submission import write_submission
from s2hand.train.metrics import evaluate_hands

COUNT = 8
Evaluate = Callable[..., Result]


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Run the command in an empty folder; its files come into `scores`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return lambda *options: CliRunner().invoke(app, ["evaluate", "--out", "scores", *map(str, options)])


@pytest.fixture
def submit(tmp_path: Path, reference: Any) -> Callable[[str], Path]:
    """Write the reference's first predictions as the submission of a challenge."""

    def write(challenge: str) -> Path:
        hands = reference.predicted
        write_submission(tmp_path / challenge, CHALLENGES[challenge], hands.joints[:COUNT], hands.vertices[:COUNT])
        return tmp_path / challenge / "pred.zip"

    return write


def expected(reference: Any) -> dict[str, float]:
    """What the metrics say to the reference's first hands."""
    predicted, true = reference.predicted, reference.true
    return evaluate_hands(
        predicted.joints[:COUNT], true.joints[:COUNT], predicted.vertices[:COUNT], true.vertices[:COUNT]
    )


def test_freihand_as_a_process(tmp_path: Path, freihand: Path, submit: Any, reference: Any) -> None:
    program = Path(sys.executable).with_name("s2hand")
    options = ["--data", str(freihand), "--pred", str(submit("freihand")), "--out", "scores"]
    done = subprocess.run(
        [program, "evaluate", *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    scores, metrics = json.loads((tmp_path / "scores/scores.json").read_text()), expected(reference)
    assert scores["official"]["xyz_al_mean3d"] == pytest.approx(metrics["pa_mpjpe_cm"], abs=1e-4)
    assert scores["official"]["f_score_15"] == pytest.approx(metrics["f15"], abs=1e-3)
    assert scores["beside"]["root_mpjpe_cm"] == pytest.approx(metrics["root_mpjpe_cm"], abs=1e-4)
    lines = [f"{name}: {value:f}" for name, value in scores["official"].items()]
    assert (tmp_path / "scores/scores.txt").read_text().splitlines() == lines
    assert list(scores["official"]) == list(reference.scores)
    assert f"{scores['official']['mesh_al_auc3d']:f}" in done.stdout
    assert "Table 2: FreiHAND, 3960 test images" in done.stdout
    assert "Not the paper's images: here are 8" in done.stdout


def test_ho3d_in_its_own_axes_and_order(
    tmp_path: Path, ho3d: Path, evaluate: Evaluate, submit: Any, reference: Any
) -> None:
    done = evaluate("--data", ho3d, "--pred", submit("ho3d_v2"))
    assert done.exit_code == 0, done.output
    assert "xyz_scale_trans_al_mean3d" in done.stdout
    assert "Table 3: HO-3D v2" in done.stdout
    ours = [line.split() for line in done.stdout.splitlines() if line.startswith(" S2HAND")]
    assert ours == [["S2HAND", "none", "0.773", "1.14", "0.777", "1.12", "0.45", "0.93"]]
    scores, metrics = json.loads((tmp_path / "scores/scores.json").read_text()), expected(reference)
    for name, key in CHALLENGES["ho3d_v2"].names.items():
        if key in metrics and "auc" not in key and not key.endswith(("f5", "f15")):
            assert scores["official"][name] == pytest.approx(metrics[key], abs=1e-4), name
    wrong = evaluate("--data", ho3d, "--source", "ho3d", "--pred", submit("freihand"), "--json")
    assert json.loads(wrong.stdout)["official"]["xyz_mean3d"] > 50  # FreiHAND's axes: behind the camera


def test_without_truth_the_submission_is_named(tmp_path: Path, freihand: Path, evaluate: Evaluate, submit: Any) -> None:
    (freihand / "evaluation_xyz.json").unlink()
    done = evaluate("--data", freihand, "--pred", submit("freihand"))
    assert done.exit_code == 0
    first, second = done.stdout.splitlines()
    assert "need the truth, evaluation_xyz.json and evaluation_verts.json" in first
    assert second.startswith(f"submission: {tmp_path / 'freihand/pred.zip'}; its zip is taken at https://")
    assert json.loads((tmp_path / "scores/scores.json").read_text())["official"] is None
    assert not (tmp_path / "scores/scores.txt").exists()


def test_the_last_runs_predictions_on_the_data_set_of_params(
    tmp_path: Path, freihand: Path, evaluate: Evaluate, submit: Any
) -> None:
    root = Path(__file__).parents[3]
    params = (root / "params.yaml").read_text()
    assert params.count("input: train/assets/open_hand.npz") == 1
    (tmp_path / "params.yaml").write_text(params.replace("input: train/assets/open_hand.npz", f"input: {freihand}"))
    missing = evaluate()
    assert missing.exit_code == 1
    assert "outputs/predictions/pred.json: no such file" in missing.stderr
    (tmp_path / "outputs/predictions").mkdir(parents=True)
    shutil.copy(submit("freihand").with_name("pred.json"), tmp_path / "outputs/predictions")
    assert evaluate().exit_code == 0
    assert "xyz_mean3d: " in (tmp_path / "scores/scores.txt").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pred", "a.json", "--checkpoint", "b"], "--pred, --checkpoint: expected one of them, found both"),
        (["--source", "ho3d"], "--source ho3d: expected --data with it"),
        ([], "params.yaml: not found"),
        (["--data", "nowhere"], "--data: nowhere: no such folder"),
        (["--data", "."], "a data set of kind folder has no official numbers"),
        (
            ["--data", "freihand", "--pred", "short.json"],
            "joints: expected 8 items, one for each evaluation image, found 0",
        ),
    ],
)
def test_wrong_use_ends_in_one_line(
    tmp_path: Path, freihand: Path, evaluate: Evaluate, options: list[str], message: str
) -> None:
    (tmp_path / "short.json").write_text("[[], []]")
    done = evaluate(*options)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
