"""The tree that is written: FreiHAND's names, shapes and numbers, whatever the number of workers."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from s2hand.datasets.freihand import FreiHand
from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

SETTINGS = SyntheticSettings(train=9, evaluation=2, image_size=64, versions=4, seed=11, workers=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "tree"
    calls: list[tuple[int, int]] = []
    summary = make_dataset(SETTINGS, root, lambda done, total: calls.append((done, total)))
    assert calls == [(i, 11) for i in range(1, 12)]
    assert (summary.training_hands, summary.training_images, summary.evaluation_hands) == (9, 36, 2)
    return root


def digests(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def read(root: Path, name: str) -> list:
    return json.loads((root / name).read_text())


def test_files_are_those_of_freihand(tree: Path):
    expected = {f"training/rgb/{i:08d}.jpg" for i in range(36)} | {f"training/mask/{i:08d}.jpg" for i in range(9)}
    expected |= {f"evaluation/rgb/{i:08d}.jpg" for i in range(2)} | {"synthetic.json"}
    for split in ("training", "evaluation"):
        expected |= {f"{split}_{name}.json" for name in ("K", "scale", "mano", "xyz", "verts")}
    assert set(digests(tree)) == expected


@pytest.mark.parametrize(("split", "count"), [("training", 9), ("evaluation", 2)])
def test_shapes_of_the_labels(tree: Path, split: str, count: int):
    assert np.shape(read(tree, f"{split}_K.json")) == (count, 3, 3)
    assert np.shape(read(tree, f"{split}_scale.json")) == (count,)
    assert np.shape(read(tree, f"{split}_mano.json")) == (count, 1, 61)
    assert np.shape(read(tree, f"{split}_xyz.json")) == (count, 21, 3)
    assert np.shape(read(tree, f"{split}_verts.json")) == (count, 778, 3)


def test_numbers_agree_as_in_freihand(tree: Path):
    K, xyz = np.array(read(tree, "training_K.json")), np.array(read(tree, "training_xyz.json"))
    mano, scale = np.array(read(tree, "training_mano.json"))[:, 0], np.array(read(tree, "training_scale.json"))
    np.testing.assert_allclose(scale, np.linalg.norm(xyz[:, 10] - xyz[:, 9], axis=-1), atol=2e-6)
    # FreiHAND recovers joint 9 from two pixels and a scale, mano[58:61]: (u - cx, v - cy, f) / s.
    focal = (K[:, 0, 0] + K[:, 1, 1]) / 2
    root = np.concatenate([mano[:, 58:60] - K[:, :2, 2], focal[:, None]], 1) / mano[:, 60:]
    np.testing.assert_allclose(root, xyz[:, 9], atol=5e-6)


def test_images(tree: Path):
    image = cv2.imread(str(tree / "training/rgb/00000035.jpg"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(tree / "training/mask/00000000.jpg"), cv2.IMREAD_UNCHANGED)
    assert image.shape == mask.shape == (64, 64, 3)
    assert ((mask < 40) | (mask > 215)).mean() > 0.97


def test_versions_show_the_same_hand_before_other_backgrounds(tree: Path):
    images = [cv2.imread(str(tree / f"training/rgb/{9 * v:08d}.jpg")).astype(float) for v in range(4)]
    apart = [np.abs(a - b).mean() for i, a in enumerate(images) for b in images[:i]]
    assert min(apart) > 5


def test_the_reader_of_freihand_reads_it(tree: Path):
    dataset = FreiHand(tree)
    assert len(dataset.records("training")) == 36
    assert len(dataset.records("evaluation")) == 2
    record = dataset.records("training")[0]
    assert record.mask is not None
    assert record.vertices_cam.shape == (778, 3)


def test_same_files_from_any_number_of_workers(tree: Path, tmp_path: Path):
    make_dataset(SETTINGS.model_copy(update={"workers": 2}), tmp_path / "again")
    assert digests(tmp_path / "again") == digests(tree)


def test_an_older_data_set_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path):
    out = tmp_path / "tree"
    small = SyntheticSettings(train=1, evaluation=0, image_size=32, versions=1)
    make_dataset(small, out)
    (out / "training" / "old.txt").write_text("old")
    make_dataset(small.model_copy(update={"vertices": False}), out)
    assert not (out / "training" / "old.txt").exists()
    assert not (out / "training_verts.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["tree"]


def test_a_folder_of_anything_else_is_never_replaced(tmp_path: Path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "photograph.jpg").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"synthetic\.json.*give another folder"):
        make_dataset(SyntheticSettings(train=1, evaluation=0, image_size=32, versions=1), tmp_path)
    assert (tmp_path / "training" / "photograph.jpg").read_bytes() == b"mine"


def test_a_failed_run_leaves_the_old_tree(tmp_path: Path):
    out = tmp_path / "tree"
    make_dataset(SyntheticSettings(train=1, evaluation=0, image_size=32, versions=1), out)
    before = digests(out)

    def fail(done: int, total: int) -> None:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        make_dataset(SyntheticSettings(train=1, evaluation=0, image_size=32, versions=1), out, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["tree"]
    assert digests(out) == before


def test_a_file_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "tree").write_text("")
    with pytest.raises(ValueError, match=r"tree: expected no such folder"):
        make_dataset(SyntheticSettings(train=1, evaluation=0), tmp_path / "tree")
