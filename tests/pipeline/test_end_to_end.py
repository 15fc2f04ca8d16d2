"""The whole pipeline, tiny, through the commands that a user types."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2


def metrics(project: Any) -> Any:
    return json.loads((project.folder / "results/metrics.json").read_text())


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
