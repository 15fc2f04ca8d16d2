"""Every data set, in every variant, through the stages: the same records, whatever it is called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from s2hand.datasets.files import read_json
from s2hand.datasets.freihand import FreiHand
from s2hand.datasets.images import read_image
from s2hand.datasets.packs import Pack
from s2hand.pipeline.layout import EVAL_PACK, METRICS, MODEL, PREDICTIONS, PREPARED, TRAIN_PACK
from s2hand.pipeline.official.evaluation import evaluate_submission
from s2hand.pipeline.params import load_params
from s2hand.pipeline.sources import INDEX, open_source
from s2hand.pipeline.stages import detect, evaluate, pack, prepare
from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset
from s2hand.train.mano import OPEN_HAND
from tests.datasets.trees.freihand import write_freihand
from tests.datasets.trees.ho3d import write_ho3d
from tests.datasets.trees.shots import Shot

ROOT = Path(__file__).parents[2]
SIDE = 96
COUNT = 3  # hands of each split


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> list[Shot]:
    """Synthetic photographs in the middle of larger ones, with their truth."""
    root = tmp_path_factory.mktemp("synthetic")
    settings = SyntheticSettings(train=0, evaluation=2 * COUNT, image_size=SIDE, difficulty=0.0, workers=1)
    make_dataset(settings, root, lambda done, total: None)
    made = []
    for record in FreiHand(root).records("evaluation"):
        assert record.K is not None
        assert record.joints_cam is not None
        assert record.vertices_cam is not None
        image = cv2.copyMakeBorder(read_image(record.path), 24, 24, 40, 40, cv2.BORDER_REFLECT)
        K = record.K + np.array([[0, 0, 40], [0, 0, 24], [0, 0, 0]])
        made.append(Shot(image.astype(np.uint8), K, record.joints_cam, record.vertices_cam))
    return made


def frames(shots: list[Shot]) -> dict[str, Shot]:
    return {f"ABC{number % 2}/{number:04d}": shot for number, shot in enumerate(shots)}


def freihand(root: Path, shots: list[Shot], truth: bool) -> None:
    write_freihand(root, shots[:COUNT], shots[COUNT:], versions=2)
    for split in ("training", "evaluation"):
        for name in () if truth else ("xyz", "verts", "mano", "scale"):
            (root / f"{split}_{name}.json").unlink()


def ho3d_v2(root: Path, shots: list[Shot], truth: bool) -> None:
    write_ho3d(root, frames(shots[:COUNT]), frames(shots[COUNT:]), version=2, truth=truth)


def ho3d_v3(root: Path, shots: list[Shot], truth: bool) -> None:
    write_ho3d(root, frames(shots[:COUNT]), frames(shots[COUNT:]), version=3, truth=truth)


def folder(root: Path, shots: list[Shot], truth: bool) -> None:
    assert not truth
    root.mkdir()
    for number, shot in enumerate(shots):
        cv2.imwrite(str(root / f"{number}.png"), shot.image[:, ::-1, ::-1])


def write_params(preset: str, data: Path, **folder: Any) -> None:
    """Put a preset in place, as a user does; the crops are those of the untrained network."""
    values = yaml.safe_load((ROOT / f"presets/{preset}.yaml").read_text())
    values["data"].update(input=str(data), **({"folder": folder} if folder else {}))
    values["pack"].update(image_size=64, min_confidence=0.0)
    values["hand_model"], values["detect"]["weights"] = str(OPEN_HAND), str(ROOT / "detect/assets/slim.safetensors")
    Path("params.yaml").write_text(yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("preset", "write", "truth", "dataset"),
    [
        ("freihand", freihand, True, "freihand"),
        ("freihand", freihand, False, "freihand"),
        ("ho3d", ho3d_v2, True, "ho3d_v2"),
        ("ho3d", ho3d_v2, False, "ho3d_v2"),
        ("ho3d", ho3d_v3, False, "ho3d_v3"),
        ("folder", folder, False, "folder"),
    ],
)
def test_from_the_disk_to_metrics(
    preset: str,
    write: Callable[[Path, list[Shot], bool], None],
    truth: bool,
    dataset: str,
    shots: list[Shot],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_checkpoint: Callable[..., Path],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data", shots, truth)
    write_params(preset, tmp_path / "data", **({"hand": "left", "held_back": 0.5} if preset == "folder" else {}))
    MODEL.parent.mkdir()
    make_checkpoint(MODEL)
    for stage in (prepare, detect, pack, evaluate):
        stage.run()
    assert read_json(PREPARED / INDEX)["dataset"] == dataset
    check_packs(dataset, truth, load_params().pack.crop_scale)
    metrics = read_json(METRICS)
    assert ("pa_mpjpe_cm" in metrics["network"]) == truth
    assert ("silhouette_iou" in metrics["network"]) == (not truth)
    assert ("wrist_cm" in metrics["network"]) == (dataset.startswith("ho3d") and not truth)
    assert (PREDICTIONS / "pred.json").is_file() == (preset != "folder")
    if preset != "folder":
        check_official_numbers(metrics["network"] if truth else None)


def check_official_numbers(network: dict[str, float] | None) -> None:
    """What goes to the challenge, in its own axes and order, has the numbers that the stage measured."""
    dataset = open_source(load_params().data, PREPARED)
    for name in ("pred.json", "pred.zip"):
        measured = evaluate_submission(dataset, PREDICTIONS / name).metrics
        assert (measured is None) == (network is None)
        for key in ("mpjpe_cm", "root_mpjpe_cm", "pa_mpjpe_cm", "mpvpe_cm", "pa_mpvpe_cm"):
            assert measured is None or network is None or measured[key] == pytest.approx(network[key], abs=1e-3)


def check_packs(dataset: str, truth: bool, crop_scale: float) -> None:
    with Pack(TRAIN_PACK) as train, Pack(EVAL_PACK) as evaluation:
        assert len(train) + len(evaluation) == 2 * COUNT + (COUNT if dataset == "freihand" else 0)
        assert not train.has_joints  # training sees no truth, of whatever data set
        rows = evaluation.rows(range(len(evaluation)))
    assert (rows.joints_cam is not None) == truth
    assert rows.mirrored.all() == (dataset == "folder")
    np.testing.assert_allclose(rows.boxes[:, 2], rows.boxes[:, 3], rtol=1e-5)
    if truth:  # camera, crop and detection speak of the same pixels
        assert rows.joints_cam is not None
        homogeneous = rows.joints_cam @ rows.K.transpose(0, 2, 1)
        true_px = homogeneous[..., :2] / homogeneous[..., 2:]
        off = np.linalg.norm(rows.keypoints[..., :2] - true_px, axis=2)
        assert np.nanmedian(off) < 5  # pixels of a crop of 64
    if dataset.startswith("ho3d"):  # the given box, 2.2 times as wide
        assert rows.wrist_cam is not None
        assert (rows.boxes[:, 2] > crop_scale * 0.5 * SIDE).all()
