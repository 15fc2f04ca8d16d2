"""Packing: every hand of a photograph is a sample of its own, each as a right hand."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError, write_json
from s2hand.datasets.keypoints import KeypointArrays
from s2hand.datasets.packs import Pack
from s2hand.datasets.records import Record
from s2hand.datasets.rows import HandRow, Provenance
from s2hand.datasets.shards import ShardStore, fingerprint
from s2hand.pipeline.params import PackParams, Params, load_params
from s2hand.pipeline.stages.pack import make_pack, make_sample, photograph, sample_name

ROOT = Path(__file__).parents[3]
SIZE = 32
NAMES = [f"{number}.png" for number in range(12)]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twelve photographs, each with a bright pixel at (8, 6) and one at (42, 16)."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    image = np.zeros((24, 48, 3), np.uint8)
    image[6, 8] = image[16, 42] = 255
    for name in NAMES:
        cv2.imwrite(str(folder / name), image)
    return folder


@pytest.fixture
def params(photographs: Path) -> Params:
    given = load_params(ROOT / "params.yaml")
    data = given.data.model_copy(update={"source": "folder", "input": str(photographs)})
    pack = given.pack.model_copy(update={"image_size": SIZE, "min_confidence": 0.5})
    return given.model_copy(update={"data": data, "pack": pack})


def hand_row(folder: Path, image: str, hand: str, index: int, box: Box, at: tuple[float, float]) -> HandRow:
    keypoints = np.tile(np.array([*at, 0.9], np.float32), (21, 1))
    return HandRow(image, fingerprint(folder, image).sha256, 48, 24, hand, index, box, keypoints)


@pytest.fixture
def shards(photographs: Path, tmp_path: Path) -> Path:
    """Two hands in each photograph, a right one around the first bright pixel, a left one around the second."""
    folder = tmp_path / "shards" / "training"
    store = ShardStore(folder, Provenance("test", "0", {}, "0"))
    rows = []
    for name in NAMES:
        rows.append(hand_row(photographs, name, "right", 0, Box(0, 0, 16, 16), (8.5, 6.5)))
        rows.append(hand_row(photographs, name, "left", 1, Box(32, 8, 16, 16), (42.5, 16.5)))
    with store.writing():
        store.write(0, [fingerprint(photographs, name) for name in NAMES], rows, [])
        store.finish(1)
    return folder


def test_every_hand_is_a_sample_and_left_ones_are_mirrored(params: Params, shards: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "index.json", {})
    make_pack(params, "training", tmp_path, shards.parent, tmp_path / "train.h5")
    with Pack(tmp_path / "train.h5") as pack:
        rows, names = pack.rows(range(len(pack))), pack.names()
    assert len(names) == 2 * len({photograph(name) for name in names})
    assert names[1] == f"{names[0]}:1"
    assert rows.mirrored.tolist() == [False, True] * (len(names) // 2)
    for image, keypoints, K in zip(rows.images, rows.keypoints, rows.K, strict=True):
        x, y, confidence = keypoints[0]
        assert confidence == pytest.approx(0.9)
        brightest = np.array(np.unravel_index(image[..., 0].argmax(), (SIZE, SIZE)))[::-1]
        np.testing.assert_allclose((x, y), brightest + 0.5, atol=1)
        assert K[2].tolist() == [0, 0, 1]


@pytest.mark.parametrize("image", ["a.png", "b/c.jpg", "clip.mp4#000001", "a:b.png"])
def test_a_sample_is_named_after_its_photograph(image: str) -> None:
    assert sample_name(image, 0) == image
    assert [photograph(sample_name(image, index)) for index in (0, 1, 12)] == [image] * 3


def test_a_crop_around_the_hand_that_was_found(photographs: Path) -> None:
    """What surrounds the detections becomes the crop, unless the data set gives a box; points follow."""
    keypoints = np.full((21, 3), (np.nan, np.nan, 0), np.float32)
    keypoints[0], keypoints[5] = (8.5, 6.5, 0.9), (18.5, 16.5, 0.8)
    index, size, whole = np.zeros(1, np.int16), np.array([[48, 24]], np.int32), np.array([[0, 0, 48, 48]], np.float32)
    found = KeypointArrays([NAMES[0]], [""], ["right"], index, size, whole, keypoints[None])
    settings = PackParams(image_size=SIZE, crop="keypoints", crop_scale=2.2)
    record = Record(image=NAMES[0], path=photographs / NAMES[0], hand="right", fov_degrees=50.0)
    around = make_sample(record, found, 0, settings, with_truth=False)
    assert around.box == Box(13.5 - 11, 11.5 - 11, 22, 22)
    np.testing.assert_allclose(around.keypoints[0, :2], (6 * SIZE / 22, 6 * SIZE / 22), rtol=1e-5)

    boxed = replace(record, box=Box(38, 10, 8, 10), wrist_cam=np.array([0.1, 0.0, 0.5]))
    given = make_sample(boxed, found, 0, settings, with_truth=True)
    assert given.box == Box(42 - 11, 15 - 11, 22, 22)
    assert given.wrist_cam is not None
    assert given.wrist_cam.tolist() == [0.1, 0.0, 0.5]
    unseen = make_sample(boxed, found, None, settings, with_truth=False)
    assert unseen.box == given.box
    assert unseen.wrist_cam is None


def test_hands_that_nobody_could_make_out_are_refused(params: Params, shards: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "index.json", {})
    strict = params.model_copy(update={"pack": params.pack.model_copy(update={"min_confidence": 0.95})})
    with pytest.raises(DataError, match=r"mean confidence of at least 0\.95 .* found none among \d+ images; look at"):
        make_pack(strict, "training", tmp_path, shards.parent, tmp_path / "train.h5")
    assert not (tmp_path / "train.h5").exists()
