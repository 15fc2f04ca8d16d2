"""Tiny runs on two branches: what comes out of them, and what DVC promises of them: comparisons, experiments, clones.

All share the runs, for which one worker of xdist has to run the whole file (`--dist loadfile`).
"""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from s2hand.train import load_hand_model

PLOTS = {
    "Training losses",
    "Correct joints within a distance",
    "Error of each joint",
    "Error by confidence of the detection",
}


def stages_run(printed: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", printed)


def read(branches: Any, *command: str) -> Any:
    return json.loads(branches.project.run("dvc", *command, "--json").stdout)


def check_predictions(folder: Path) -> None:
    """MANO's parameters in the table give the joints beside them, and the challenge's file has the same ones."""
    table = pq.read_table(folder / "predictions.parquet").to_pydict()
    pose, shape, scale, rotation, translation = (
        torch.tensor(table[name]) for name in ("pose", "shape", "scale", "rotation", "translation")
    )
    joints = scale.unsqueeze(2) * load_hand_model()(pose, shape, rotation).joints + translation.unsqueeze(1)
    written = torch.tensor(table["joints_cam"]).view(-1, 21, 3)
    assert table["hand"] == ["right"] * 6
    torch.testing.assert_close(joints, written, atol=1e-5, rtol=1e-4)
    challenge, vertices = json.loads((folder / "pred.json").read_text())
    torch.testing.assert_close(torch.tensor(challenge), written, atol=2e-6, rtol=0)
    assert torch.tensor(vertices).shape == (6, 778, 3)


def check_official_numbers(project: Any, network: dict[str, float]) -> None:
    """The run's submission and the one of its checkpoint are the same, and score as the metrics do."""
    scores = json.loads(project.run("s2hand", "evaluate", "--json").stdout)["official"]
    for official, ours in (("xyz_mean3d", "mpjpe_cm"), ("mesh_al_mean3d", "pa_mpvpe_cm")):
        assert abs(scores[official] - network[ours]) < 1e-3
    project.run("s2hand", "evaluate", "--checkpoint", "outputs/model", "--out", "outputs/again")
    first, second = (
        torch.tensor(json.loads((project.folder / "outputs" / name / "pred.json").read_text())[1])
        for name in ("predictions", "again")
    )
    torch.testing.assert_close(first, second, atol=5e-6, rtol=0)


def test_photographs_become_metrics(branches: Any) -> None:
    project = branches.project
    found = json.loads((project.folder / "results/metrics.json").read_text())
    assert found["hands"] == 6
    for who in ("network", "constant"):
        assert found[who]["root_mpjpe_cm"] > 0
        assert 0 <= found[who]["pa_auc_j"] <= 1
    assert found["detector"]["mpjpe_px"] > 0
    check_predictions(project.folder / "outputs/predictions")
    check_official_numbers(project, found["network"])


def test_a_parameter_of_training_runs_what_reads_it(branches: Any) -> None:
    assert stages_run(branches.printed) == ["train", "evaluate", "report"]


def test_a_second_run_has_nothing_to_do(branches: Any) -> None:
    printed = branches.project.run("dvc", "repro").stdout
    assert stages_run(printed) == []
    assert "Data and pipelines are up to date." in printed


def test_params_diff_names_the_key(branches: Any) -> None:
    assert read(branches, "params", "diff", "main") == {
        "params.yaml": {"train.stages.joint.epochs": {"old": 1, "new": 2, "diff": 1}}
    }


def test_metrics_diff_shows_what_changed(branches: Any) -> None:
    changed = read(branches, "metrics", "diff", "main")["results/metrics.json"]
    error = changed["network.root_mpjpe_cm"]
    now = json.loads((branches.project.folder / "results/metrics.json").read_text())
    assert error["new"] == now["network"]["root_mpjpe_cm"]
    assert error["old"] != error["new"]
    assert not any(key.startswith(("constant", "detector")) for key in changed)


def test_plots_diff_draws_both_branches(branches: Any) -> None:
    found = read(branches, "plots", "diff", "main", "longer")
    assert "errors" not in found
    assert set(found["data"]) == PLOTS
    for title, (plot,) in found["data"].items():
        values = plot["content"]["data"]["values"]
        assert {row["rev"] for row in values} == {"main", "longer"}, title
    joints = found["data"]["Error of each joint"][0]["content"]
    assert joints["encoding"]["y"] == {"field": "joint", "type": "nominal", "title": "joint", "sort": None}
    assert {row["field"] for row in joints["data"]["values"]} == {"network", "constant"}


def test_the_page_of_plots_has_no_broken_script(branches: Any) -> None:
    project = branches.project
    project.run("dvc", "plots", "diff", "main", "longer")
    page = (project.folder / "dvc_plots/index.html").read_text()
    # DVC puts titles into JavaScript strings as they are.
    assert len(re.findall(r"vegaEmbed\('#\w+', spec\)", page)) == len(PLOTS)


def test_a_queued_experiment_keeps_its_name_and_runs_what_it_changes(branches: Any) -> None:
    project = branches.project
    project.run("dvc", "exp", "run", "--queue", "-n", "by-three", "-S", "evaluate.batch_size=3")
    printed = project.run("dvc", "exp", "run", "--run-all").stdout
    assert stages_run(printed) == ["evaluate", "report"]
    (baseline,) = (entry for entry in read(branches, "exp", "show") if entry["rev"] != "workspace")
    (experiment,) = baseline["experiments"]
    assert experiment["name"] == "by-three"
    data = experiment["revs"][0]["data"]
    assert data["params"]["params.yaml"]["data"]["evaluate"]["batch_size"] == 3
    assert data["metrics"]["results/metrics.json"]["data"]["hands"] == 6
    project.run("git", "diff", "--exit-code")  # the working tree was left alone


def test_a_clone_pulls_everything_and_has_nothing_to_do(branches: Any) -> None:
    project = branches.project
    project.run("dvc", "push")
    clone = type(project)(project.folder.parent / "clone")
    project.run("git", "clone", "-q", str(project.folder), str(clone.folder))
    assert not (clone.folder / "data").exists()
    clone.run("dvc", "pull")
    printed = clone.run("dvc", "repro").stdout
    assert stages_run(printed) == []
    assert "Data and pipelines are up to date." in clone.run("dvc", "status").stdout
    for kept in ("outputs/model/weights.safetensors", "data/keypoints/evaluation/manifest.json"):
        assert (clone.folder / kept).read_bytes() == (project.folder / kept).read_bytes()
    clone.run("git", "diff", "--exit-code")
