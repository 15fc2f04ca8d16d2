import json
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.files import DataError
from s2hand.datasets.freihand import VERSIONS, FreiHand
from s2hand.datasets.images import read_image
from s2hand.datasets.records import SPLITS
from tests.datasets.trees.freihand import freihand_labels, write_freihand
from tests.datasets.trees.shots import some_shots

HANDS = 3
TRAINING, EVALUATION = some_shots(HANDS), some_shots(2, seed=1)
LABELS = {"training": freihand_labels(TRAINING), "evaluation": freihand_labels(EVALUATION)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small FreiHAND: three hands in four versions, two to evaluate."""
    return write_freihand(tmp_path, TRAINING, EVALUATION)


def test_training_is_every_hand_in_every_version(root: Path) -> None:
    data = FreiHand(root)
    records = data.records("training")
    assert (data.name, data.root, data.versions) == ("freihand", root, VERSIONS)
    assert [record.image for record in records] == [f"training/rgb/{index:08d}.jpg" for index in range(12)]
    for index, record in enumerate(records):
        hand = index % HANDS
        truth = {name: values[hand] for name, values in LABELS["training"].items()}
        assert record.hand == "right"
        assert record.path == root / record.image
        assert np.abs(read_image(record.path) - (TRAINING[hand].image >> index // HANDS).astype(float)).max() < 4
        assert record.K_source == "training_K.json"
        np.testing.assert_array_equal(record.K, truth["K"])
        np.testing.assert_array_equal(record.joints_cam, truth["xyz"])
        np.testing.assert_array_equal(record.vertices_cam, truth["verts"].astype(np.float32))
        np.testing.assert_array_equal(record.mano, truth["mano"][0])
        assert record.scale == truth["scale"]


def test_masks_belong_to_the_first_version(root: Path) -> None:
    masks = [record.mask for record in FreiHand(root).records("training")]
    assert masks == [root / f"training/mask/{hand:08d}.jpg" for hand in range(HANDS)] + [None] * 9
    assert [record.mask for record in FreiHand(root, ["hom"]).records("training")] == [None] * 3


def test_versions_can_be_chosen(root: Path) -> None:
    data = FreiHand(root, versions=["sample", "gs"])
    assert data.versions == ("sample", "gs")
    numbers = [int(record.path.stem) for record in data.records("training")]
    assert numbers == [6, 7, 8, 0, 1, 2]
    with pytest.raises(DataError, match="has the versions gs, hom, sample, auto, not greenscreen"):
        FreiHand(root, versions=["greenscreen"])


def test_only_versions_on_the_disk_are_offered(root: Path) -> None:
    for index in range(HANDS, 2 * HANDS):
        (root / f"training/rgb/{index:08d}.jpg").unlink()
    assert FreiHand(root).versions == ("gs", "sample", "auto")
    assert len(FreiHand(root).records("training")) == 9
    with pytest.raises(DataError, match="version hom is not there; found: gs, sample, auto"):
        FreiHand(root, versions=["gs", "hom"]).records("training")


def test_evaluation(root: Path) -> None:
    records = FreiHand(root).records("evaluation")
    assert [record.image for record in records] == ["evaluation/rgb/00000000.jpg", "evaluation/rgb/00000001.jpg"]
    assert records[0].mask is None
    np.testing.assert_array_equal(records[1].joints_cam, LABELS["evaluation"]["xyz"][1])
    np.testing.assert_array_equal(records[1].vertices_cam, LABELS["evaluation"]["verts"][1].astype(np.float32))
    np.testing.assert_array_equal(records[1].K, LABELS["evaluation"]["K"][1])


def test_files_other_than_cameras_are_optional(root: Path) -> None:
    for split in SPLITS:
        for name in ("xyz", "verts", "mano", "scale"):
            (root / f"{split}_{name}.json").unlink()
        record = FreiHand(root).records(split)[0]
        assert record.K is not None
        truths = (record.joints_cam, record.vertices_cam, record.mano, record.scale)
        assert truths == (None, None, None, None)


def test_no_masks(root: Path) -> None:
    for path in (root / "training/mask").iterdir():
        path.unlink()
    (root / "training/mask").rmdir()
    assert FreiHand(root).records("training")[0].mask is None


@pytest.mark.parametrize("image", ["training/rgb/00000004.jpg", "training/mask/00000001.jpg"])
def test_a_missing_image_is_named_with_what_was_expected(root: Path, image: str) -> None:
    (root / image).unlink()
    expected = r"12 images: 3 hands, 4 version\(s\)" if "rgb" in image else "3 masks"
    with pytest.raises(DataError, match=rf"{image}: missing; expected {expected}; 1 of them"):
        FreiHand(root).records("training")


def test_missing_parts_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder; expected FreiHAND's"):
        FreiHand(tmp_path / "elsewhere")
    (root / "evaluation_K.json").unlink()
    with pytest.raises(DataError, match=r"evaluation_K\.json: no such file"):
        FreiHand(root).records("evaluation")
    for path in (root / "training/rgb").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="training/rgb: expected 3 images, found none"):
        FreiHand(root).records("training")
    (root / "training/rgb").rmdir()
    with pytest.raises(DataError, match="training/rgb: can't be listed"):
        FreiHand(root).records("training")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("K", "[[[1, 0", "not valid JSON"),
        (
            "xyz",
            json.dumps(LABELS["evaluation"]["xyz"].tolist()),
            "expected 3 items, as many as in training_K.json, found 2",
        ),
        ("verts", json.dumps([[[0.0] * 3] * 777] * 3), "item 0: expected finite numbers of shape"),
        ("mano", "{}", "not valid JSON"),
    ],
)
def test_broken_labels_are_named(root: Path, name: str, text: str, message: str) -> None:
    (root / f"training_{name}.json").write_text(text)
    with pytest.raises(DataError, match=rf"training_{name}\.json: .*{message}"):
        FreiHand(root).records("training")
