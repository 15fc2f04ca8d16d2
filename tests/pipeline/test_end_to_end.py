"""The whole pipeline, tiny, through the commands that a user types."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pyarrow.parquet as pq
import pytest
import torch

from s2hand.train import load_hand_model


def metrics(project: Any) -> Any:
    return json.loads((project.folder / "results/metrics.json").read_text())


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


@pytest.mark.xdist_group("branches")
def test_photographs_become_metrics(branches: Any) -> None:
    project = branches.project
    found = metrics(project)
    assert found["hands"] == 6
    for who in ("network", "constant"):
        assert found[who]["root_mpjpe_cm"] > 0
        assert 0 <= found[who]["pa_auc_j"] <= 1
    assert found["detector"]["mpjpe_px"] > 0
    check_predictions(project.folder / "outputs/predictions")
    check_official_numbers(project, found["network"])


def test_a_folder_of_left_hands_becomes_agreement(project: Any, tmp_path: Path) -> None:
    project.run(
        *("s2hand", "synthetic", "--out", str(tmp_path / "tree"), "--train", "10", "--evaluation", "0"),
        *("--versions", "1", "--size", "96"),
    )
    photographs = tmp_path / "photographs" / "some folder"
    photographs.mkdir(parents=True)
    for path in sorted((tmp_path / "tree/training/rgb").iterdir()):
        image = cv2.imread(str(path))
        cv2.imwrite(str(photographs / path.with_suffix(".PNG").name), image[:, ::-1])
    for number in range(8):  # some of them are held back, some are not
        (photographs / f"broken-{number}.jpg").write_bytes(b"no image")
    project.set(data__source="folder", data__input=str(photographs.parent))
    project.set(data__folder__hand="left", data__folder__held_back=0.3, train__batch_size=2)
    project.run("dvc", "repro")
    result = metrics(project)
    assert 1 <= result["hands"] < 10
    assert 0 < result["network"]["agreement_of_box"] < 2
    assert "root_mpjpe_cm" not in result["network"]


def test_a_wrong_parameter_ends_with_its_path(project: Any) -> None:
    path = project.folder / "params.yaml"
    path.write_text(path.read_text().replace("batch_size: 16", "batch_sizes: 16"))
    done = project.run("s2hand", "stage", "train", check=False)
    assert done.returncode == 1
    assert "train.batch_sizes: unknown key, did you mean batch_size?" in done.stderr.replace("\n", " ")


def test_a_missing_folder_ends_in_one_line(project: Any, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "nothing", ignore_errors=True)
    project.set(data__source="folder", data__input=str(tmp_path / "nothing"))
    done = project.run("s2hand", "stage", "prepare", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nothing" in done.stderr
