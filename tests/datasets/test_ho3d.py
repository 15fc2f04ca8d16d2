"""HO-3D as it lies on the disk becomes records; `test_ho3d_refusals` has what does not."""

import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2hand.datasets.cameras import Box, project
from s2hand.datasets.files import DataError
from s2hand.datasets.ho3d import Ho3d, from_ho3d_joints, from_ho3d_points, to_ho3d_joints, to_ho3d_points
from s2hand.datasets.images import read_image
from s2hand.datasets.skeleton import FINGERS, WRIST
from tests.datasets.trees.ho3d import (
    EVALUATION,
    TRAIN,
    Tree,
    evaluation_meta,
    ho3d_joints,
    not_annotated,
    train_meta,
    write_ho3d,
    write_meta,
)
from tests.datasets.trees.python2 import python2_pickle
from tests.datasets.trees.shots import Shot, some_shots


def one_camera(frames: dict[str, Shot], K: np.ndarray[Any, Any]) -> dict[str, Shot]:
    return {frame: Shot(shot.image, K, shot.joints, shot.vertices) for frame, shot in frames.items()}


# --- its axes and order
# ---------------------------------------------------------------------------------------


def test_axes_and_order_there_and_back() -> None:
    """MANO's order: wrist; index, middle, little, ring, thumb from base on; tips from thumb to little finger."""
    joints = np.arange(63.0).reshape(21, 3)
    theirs = to_ho3d_joints(joints)
    bases = [joint for finger in ("index", "middle", "little", "ring", "thumb") for joint in FINGERS[finger][:3]]
    order = [WRIST, *bases, *(joints_of[3] for joints_of in FINGERS.values())]
    np.testing.assert_array_equal(theirs, joints[order] * (1, -1, -1))
    np.testing.assert_array_equal(from_ho3d_joints(np.stack([theirs, theirs]))[1], joints)
    points = np.float32([[1, 2, 3]])
    assert to_ho3d_points(points).tolist() == [[1, -2, -3]]
    assert from_ho3d_points(to_ho3d_points(points)).dtype == np.float32


# --- what it reads
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dumps",
    [python2_pickle, *(partial(pickle.dumps, protocol=protocol) for protocol in (0, 2, pickle.HIGHEST_PROTOCOL))],
    ids=["python 2", "protocol 0", "protocol 2", "newest"],
)
@pytest.mark.parametrize("version", [2, 3])
def test_training_frames_come_in_the_lists_order(tree: Tree, version: int, dumps: Callable[[Any], bytes]) -> None:
    data = Ho3d(tree(version=version, dumps=dumps))
    records = data.records("training")
    suffix = {2: "png", 3: "jpg"}[version]
    assert (data.name, data.version) == (f"ho3d_v{version}", version)
    assert [record.image for record in records] == [
        f"train/{sequence}/rgb/{name}.{suffix}" for sequence, name in (frame.split("/") for frame in TRAIN)
    ]
    for record, shot in zip(records, TRAIN.values(), strict=True):
        assert (record.path, record.hand, record.K_source) == (data.root / record.image, "right", "camMat")
        assert np.abs(read_image(record.path).astype(int) - shot.image).max() < 4
        np.testing.assert_array_equal(record.K, shot.K)
        np.testing.assert_array_equal(record.joints_cam, shot.joints)
        assert (record.vertices_cam, record.wrist_cam, record.box, record.mano) == (None, None, None, None)


def test_projecting_as_ho3d_does_and_as_we_do_gives_the_same_pixels(tree: Tree) -> None:
    """HO-3D's own way: axes turned, then multiplied by camMat from the right, then divided by depth."""
    for record, shot in zip(Ho3d(tree()).records("training"), TRAIN.values(), strict=True):
        theirs = ho3d_joints(shot.joints).dot(np.diag([1.0, -1, -1])).dot(shot.K.T)
        pixels = theirs[:, :2] / theirs[:, 2:]
        assert record.joints_cam is not None
        assert record.K is not None
        tips = [16, 17, 18, 19, 20]
        ours = project(record.joints_cam, record.K)
        np.testing.assert_allclose(ours[[4, 8, 12, 16, 20]], pixels[tips])
        np.testing.assert_allclose(ours[[0, 5, 9, 17, 13]], pixels[[0, 1, 4, 7, 10]])


def test_evaluation_has_the_wrist_and_a_box(tree: Tree) -> None:
    records = Ho3d(tree()).records("evaluation")
    assert [record.image for record in records] == [
        "evaluation/SM1/rgb/0100.png",
        "evaluation/AP10/rgb/0001.png",
        "evaluation/SM1/rgb/0000.png",
    ]
    for record, shot in zip(records, EVALUATION.values(), strict=True):
        np.testing.assert_array_equal(record.K, shot.K)
        np.testing.assert_array_equal(record.wrist_cam, shot.joints[0])
        x1, y1, x2, y2 = evaluation_meta(shot)["handBoundingBox"]
        assert record.box == Box(x1, y1, x2 - x1, y2 - y1)
        assert (record.joints_cam, record.vertices_cam) == (None, None)


@pytest.mark.parametrize("files", [{"xyz", "verts"}, {"xyz"}, {"verts"}])
def test_the_evaluations_truth_is_read_where_it_is(tree: Tree, files: set[str]) -> None:
    root = tree(truth=True)
    for name in {"xyz", "verts"} - files:
        (root / f"evaluation_{name}.json").unlink()
    for record, shot in zip(Ho3d(root).records("evaluation"), EVALUATION.values(), strict=True):
        for value, true, name in (
            (record.joints_cam, shot.joints, "xyz"),
            (record.vertices_cam, shot.vertices, "verts"),
        ):
            if name in files:
                np.testing.assert_allclose(value, true, atol=1e-7)  # type: ignore[arg-type]
            else:
                assert value is None
        np.testing.assert_array_equal(record.wrist_cam, shot.joints[0])


def test_images_are_taken_as_they_are_there(tree: Tree) -> None:
    root = tree(version=3)
    (root / "train/BB11/rgb/0000.jpg").rename(root / "train/BB11/rgb/0000.PNG")
    (root / "train/BB11/rgb/0001.png").touch()  # on no list
    (root / "train.txt").write_text("\r\n".join(TRAIN) + "\r\n\r\n")
    images = [record.image for record in Ho3d(root).records("training")]
    assert len(images) == 4
    assert images[1:3] == ["train/ABF10/rgb/0007.jpg", "train/BB11/rgb/0000.PNG"]


def test_frames_are_listed_without_reading_them(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """66,000 frames must open quickly: one listing a sequence, two metas of it, however many frames it has."""
    shot = some_shots(1)[0]
    frames = {f"S/{number:04d}": shot for number in range(12)}
    root = write_ho3d(tree().parent / "long", frames, EVALUATION)
    listed, read = [], []
    list_folder, read_bytes = os.listdir, Path.read_bytes
    monkeypatch.setattr(os, "listdir", lambda path: (listed.append(path), list_folder(path))[1])
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path.name), read_bytes(path))[1])
    records = Ho3d(root).records("training")
    assert len(records) == 12
    assert listed == [root / "train/S/rgb"]
    assert read == ["0000.pkl", "0011.pkl"]
    assert records[5].joints_cam is not None
    assert read[2:] == ["0005.pkl"]


# --- frames without annotation
# ----------------------------------------------------------------------------------


def test_a_frame_that_is_not_annotated_has_no_truth(tree: Tree) -> None:
    root, meta = tree(), train_meta(TRAIN["ABF10/0007"])
    write_meta(root, "train", "ABF10/0007", python2_pickle(not_annotated(meta, "camMat")))
    write_meta(root, "train", "BB11/0000", python2_pickle({"camMat": TRAIN["BB11/0000"].K}))
    records = Ho3d(root).records("training")
    assert [record.joints_cam is None for record in records] == [False, True, True, False]
    np.testing.assert_array_equal(records[1].K, TRAIN["ABF10/0007"].K)
    np.testing.assert_array_equal(records[2].K, TRAIN["BB11/0000"].K)


@pytest.mark.parametrize("unknown", ["None", "NaN", "no file"])
def test_a_frame_without_camera_takes_that_of_its_sequence(tmp_path: Path, unknown: str) -> None:
    K = np.array([[61.0, 0, 32], [0, 62, 24], [0, 0, 1]])
    root = write_ho3d(tmp_path, one_camera(TRAIN, K), EVALUATION)
    meta = not_annotated(train_meta(TRAIN["ABF10/0000"]))
    if unknown == "NaN":
        meta["camMat"] = np.full((3, 3), np.nan)
    path = write_meta(root, "train", "ABF10/0000", python2_pickle(meta))
    if unknown == "no file":
        path.unlink()
    data = Ho3d(root)
    records = data.records("training")
    np.testing.assert_array_equal(records[0].K, K)
    assert [record.K_source for record in records] == ["camMat of the sequence's other frames"] + 3 * ["camMat"]
    assert records[0].joints_cam is None
    assert data.left_out("training") == {}


def test_a_frame_is_left_out_where_no_camera_is_known(tree: Tree) -> None:
    """ABF10's frames have different cameras here; BB11 has none."""
    root = tree()
    for frame in ("ABF10/0007", "BB11/0000"):
        write_meta(root, "train", frame, python2_pickle(not_annotated(train_meta(TRAIN[frame]))))
    data = Ho3d(root)
    assert [record.image for record in data.records("training")] == [
        "train/ABF10/rgb/0000.png",
        "train/ABF10/rgb/0003.png",
    ]
    reason = "no camMat, and the other frames of {} have none or different ones"
    assert data.left_out("training") == {
        "train/ABF10/rgb/0007.png": reason.format("ABF10"),
        "train/BB11/rgb/0000.png": reason.format("BB11"),
    }
    assert data.left_out("evaluation") == {}
    for frame in TRAIN:
        (root / "train" / frame.replace("/", "/meta/")).with_suffix(".pkl").unlink()
    with pytest.raises(DataError, match="train: no frame has a camera"):
        Ho3d(root).records("training")
