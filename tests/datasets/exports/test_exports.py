"""Each format, read back by the program it is for."""

import gc
import importlib
import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO

from s2hand.datasets.exports import FORMATS, export_keypoints
from s2hand.datasets.exports.hands import Run
from s2hand.datasets.exports.openpose_json import label_name
from s2hand.datasets.files import DataError
from s2hand.datasets.keypoints import KeypointArrays, read_keypoints, to_arrays
from s2hand.datasets.rows import HandRow, Provenance, rows_to_table
from s2hand.datasets.shards import ShardStore, Source
from s2hand.datasets.skeleton import JOINT_NAMES


@pytest.fixture
def rows(collection) -> KeypointArrays:
    return to_arrays(read_keypoints(collection.shards))


def expected(keypoints: NDArray[np.float32]) -> NDArray[np.float64]:
    """[21, 3] as formats of pixel indices say it: half a pixel less, and zeros for what was not found."""
    shifted = keypoints.astype(np.float64) - (0.5, 0.5, 0)
    return np.where(keypoints[:, 2:] > 0, shifted, 0)


def test_coco_is_read_by_pycocotools(collection, rows, tmp_path, capsys):
    assert export_keypoints(collection.shards, tmp_path / "coco.json", "coco") == 6
    coco = COCO(tmp_path / "coco.json")
    assert capsys.readouterr().out.startswith("loading annotations")
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["a.png", "sub/a.png", "ü b/c.png"]
    assert {(image["width"], image["height"]) for image in coco.imgs.values()} == {(40, 30)}
    (category,) = coco.loadCats(coco.getCatIds(catNms=["hand"]))
    assert category["keypoints"] == list(JOINT_NAMES)
    assert [1, 2] in category["skeleton"]
    assert [9, 10] not in category["skeleton"]
    annotations = coco.loadAnns(coco.getAnnIds())
    assert [annotation["hand"] for annotation in annotations] == rows.hands
    for row, annotation in enumerate(annotations):
        want = expected(rows.keypoints[row])
        joints = np.reshape(annotation["keypoints"], (21, 3))
        np.testing.assert_allclose(joints[:, :2], want[:, :2], rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(joints[:, 2], np.where(want[:, 2] > 0, 2, 0))
        np.testing.assert_array_equal(np.float32(annotation["scores"]), rows.keypoints[row, :, 2])
        np.testing.assert_array_equal(np.float32(annotation["bbox"]), rows.boxes[row])
        assert (annotation["num_keypoints"], annotation["iscrowd"]) == (19, 0)
        assert annotation["area"] == pytest.approx(20.25**2)
    assert coco.dataset["info"]["detector"] == "slim"
    assert len(coco.getAnnIds(imgIds=[3])) == 3


def test_pycocotools_evaluates_it(collection, rows, tmp_path, capsys):
    """The hands compared with themselves are found in full: areas, categories and visibilities make sense to it."""
    from pycocotools.cocoeval import COCOeval

    export_keypoints(collection.shards, tmp_path / "coco.json", "coco")
    truth = COCO(tmp_path / "coco.json")
    found = truth.loadRes([{**annotation, "score": 1.0} for annotation in truth.dataset["annotations"]])
    evaluation = COCOeval(truth, found, "keypoints")
    evaluation.params.kpt_oks_sigmas = np.full(21, 0.05)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    assert evaluation.stats[0] == 1


def test_coco_wholebody_has_what_its_readers_ask_for(collection, rows, tmp_path, capsys):
    export_keypoints(collection.shards, tmp_path / "whole.json", "coco-wholebody")
    coco = COCO(tmp_path / "whole.json")
    capsys.readouterr()
    assert coco.loadCats([1])[0]["name"] == "person"
    assert len(coco.loadCats([1])[0]["keypoints"]) == 17
    annotations = coco.loadAnns(coco.getAnnIds())
    lengths = {"keypoints": 51, "foot_kpts": 18, "face_kpts": 204, "lefthand_kpts": 63, "righthand_kpts": 63}
    for annotation in annotations:
        assert {name: len(annotation[name]) for name in lengths} == lengths
        assert len(np.concatenate([annotation[name] for name in lengths]).reshape(-1, 3)) == 133
        assert not any([annotation["foot_valid"], annotation["face_valid"], *annotation["face_box"]])
        assert annotation["num_keypoints"] == 0
        for side in ("left", "right"):
            assert annotation[f"{side}hand_valid"] == any(annotation[f"{side}hand_kpts"])
            assert annotation[f"{side}hand_valid"] == any(annotation[f"{side}hand_box"])
    both = annotations[0]
    for side, row in (("right", 0), ("left", 1)):
        np.testing.assert_allclose(
            np.reshape(both[f"{side}hand_kpts"], (21, 3)), expected(rows.keypoints[row]), rtol=1e-6
        )
        np.testing.assert_array_equal(np.float32(both[f"{side}hand_box"]), rows.boxes[row])
    x, y, w, h = both["bbox"]
    assert (x, y) == pytest.approx(tuple(np.minimum(rows.boxes[0, :2], rows.boxes[1, :2])))
    assert (x + w, y + h) == pytest.approx(tuple(np.maximum(rows.boxes[0, :2], rows.boxes[1, :2]) + 20.25))


def test_a_right_and_a_left_hand_are_a_person_and_more_are_not(collection, tmp_path, capsys):
    export_keypoints(collection.shards, tmp_path / "whole.json", "coco-wholebody")
    coco = COCO(tmp_path / "whole.json")
    capsys.readouterr()
    people = [
        (person["image_id"], person["lefthand_valid"], person["righthand_valid"]) for person in coco.anns.values()
    ]
    assert people == [(1, True, True), (2, True, False), (3, False, True), (3, False, True), (3, True, False)]


def test_openpose_json(collection, rows, tmp_path):
    out = tmp_path / "labels"
    export_keypoints(collection.shards, out, "openpose-json")
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert names == ["a_keypoints.json", "sub/a_keypoints.json", "ü b/c_keypoints.json"]
    value = json.loads((out / "a_keypoints.json").read_text("ascii"))
    assert value["version"] == 1.3
    (person,) = value["people"]
    assert person["person_id"] == [-1]
    assert person["pose_keypoints_2d"] == person["face_keypoints_2d"] == person["hand_left_keypoints_3d"] == []
    right = np.reshape(person["hand_right_keypoints_2d"], (21, 3))
    np.testing.assert_allclose(right, expected(rows.keypoints[0]), rtol=1e-6, atol=1e-6)
    assert right[4].tolist() == [0, 0, 0]
    assert right[5, :2].tolist() == [12, 7]
    (other,) = json.loads((out / "sub/a_keypoints.json").read_bytes())["people"]
    assert other["hand_right_keypoints_2d"] == [0] * 63
    assert len(json.loads((out / "ü b/c_keypoints.json").read_bytes())["people"]) == 3


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a.jpg", "a_keypoints.json"),
        ("x/a.b.jpeg", "x/a.b_keypoints.json"),
        ("x/clip.mp4#000123", "x/clip_000000000123_keypoints.json"),
        ("no#frame.jpg", "no#frame_keypoints.json"),
    ],
)
def test_the_names_of_openposes_files(image, name):
    assert label_name(image) == name


def run_of(folder: Path, rows: list[HandRow]) -> Path:
    store = ShardStore(folder, Provenance("slim", "aa", {}, "cc"))
    images = sorted({row.image for row in rows})
    with store.writing():
        store.write(0, [Source(image, 1, "0" * 64) for image in images], rows, [])
        store.finish(1)
    return folder


def test_images_that_openpose_can_not_tell_apart(tmp_path, hand_row: Callable[..., HandRow]):
    shards = run_of(tmp_path / "shards", [hand_row(image="a.jpg"), hand_row(image="a.png")])
    with pytest.raises(DataError, match=r"a\.png: another image has its labels in a_keypoints\.json too"):
        export_keypoints(shards, tmp_path / "labels", "openpose-json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shards"]


def test_csv_is_read_by_pandas_and_polars(collection, rows, tmp_path):
    export_keypoints(collection.shards, tmp_path / "hands.csv", "csv")
    frame = pd.read_csv(tmp_path / "hands.csv")
    assert frame["image"].tolist() == rows.images
    assert frame["hand"].tolist() == rows.hands
    assert frame["hand_index"].tolist() == rows.hand_index.tolist()
    assert frame.columns[:10].tolist() == [
        *("image", "sha256", "width", "height", "hand", "hand_index", "box_x", "box_y", "box_w", "box_h")
    ]
    assert frame.columns[10:13].tolist() == ["wrist_x", "wrist_y", "wrist_confidence"]
    joints = frame.iloc[:, 10:].to_numpy(np.float32).reshape(-1, 21, 3)
    np.testing.assert_array_equal(joints, rows.keypoints)
    np.testing.assert_array_equal(frame.iloc[:, 6:10].to_numpy(np.float32), rows.boxes)
    polar = pl.read_csv(tmp_path / "hands.csv")
    assert polar["thumb_tip_x"].null_count() == 6
    assert polar["thumb_tip_confidence"].to_list() == [0] * 6


def test_the_authors_list(collection, rows, tmp_path):
    export_keypoints(collection.shards, tmp_path / "detect_all.json", "s2hand-json")
    xy, confidence, names = json.loads((tmp_path / "detect_all.json").read_bytes())
    assert np.shape(xy) == (6, 21, 2)
    assert np.shape(confidence) == (6, 21, 1)
    assert names == [[name] for name in rows.images]
    for row in range(6):
        want = expected(rows.keypoints[row])
        np.testing.assert_allclose(xy[row], want[:, :2], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(np.ravel(confidence[row]), want[:, 2], rtol=1e-6)
    assert xy[0][4] == [0, 0]


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_without_hands(tmp_path, name, capsys):
    shards = run_of(tmp_path / "shards", [])
    assert export_keypoints(shards, tmp_path / "out", name) == 0
    if name.startswith("coco"):
        assert COCO(tmp_path / "out").anns == {}
        capsys.readouterr()
    elif name == "s2hand-json":
        assert json.loads((tmp_path / "out").read_bytes()) == [[], [], []]
    else:
        assert len(pd.read_csv(tmp_path / "out") if name == "csv" else list((tmp_path / "out").iterdir())) == 0


def test_an_unknown_format(collection, tmp_path):
    with pytest.raises(DataError, match=r"format: expected one of coco, .*, found 'voc'"):
        export_keypoints(collection.shards, tmp_path / "out", "voc")


def test_progress_counts_hands(collection, tmp_path):
    seen: list[tuple[int, int]] = []
    export_keypoints(
        collection.shards, tmp_path / "out", "csv", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 6), (3, 6), (6, 6)]


@pytest.mark.parametrize("module", ["coco", "coco_wholebody", "csv_table", "openpose_json"])
def test_shards_are_written_as_they_are_read(tmp_path, hand_row, module):
    """When a shard is read, only the one before it may still be held."""
    alive: list[weakref.ref] = []

    def tables():
        for number in range(5):
            gc.collect()
            assert all(reference() is None for reference in alive[:-1])
            table = rows_to_table([hand_row(image=f"{number}.jpg")], {})
            alive.append(weakref.ref(table))
            yield table

    (tmp_path / "folder").mkdir()
    out = tmp_path / ("folder" if module == "openpose_json" else "file")
    write = importlib.import_module(f"s2hand.datasets.exports.{module}").write
    write(Run(Provenance("slim", "aa", {}, "cc"), tables()), out)
    assert len(alive) == 5


def test_naming_the_formats_loads_nothing():
    heavy = "{'numpy', 'pyarrow'} & set(sys.modules)"
    code = f"import sys, s2hand.datasets.exports, s2hand.datasets.imports; assert not {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)
