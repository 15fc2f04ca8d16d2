import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from s2hand.datasets.cameras import Box, project
from s2hand.datasets.files import DataError
from s2hand.datasets.ho3d import Ho3d, from_ho3d_joints, from_ho3d_points, to_ho3d_joints, to_ho3d_points
from s2hand.datasets.images import read_image
from s2hand.datasets.skeleton import FINGERS, WRIST
from tests.datasets.trees.ho3d import evaluation_meta, ho3d_joints, not_annotated, train_meta, write_ho3d, write_meta
from tests.datasets.trees.python2 import python2_pickle
from tests.datasets.trees.shots import Shot, some_shots

TRAIN = dict(zip(["ABF10/0000", "ABF10/0007", "BB11/0000", "ABF10/0003"], some_shots(4), strict=True))
EVALUATION = dict(zip(["SM1/0100", "AP10/0001", "SM1/0000"], some_shots(3, seed=1), strict=True))
Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write the small HO-3D of this file, in a variant."""
    return partial(write_ho3d, tmp_path, TRAIN, EVALUATION)


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


# --- what it refuses
# ------------------------------------------------------------------------------------------


def test_missing_parts_are_named(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"elsewhere: no such folder; expected HO-3D's, with train\.txt"):
        Ho3d(tmp_path / "elsewhere")
    root = tree()
    for name in ("0000", "0003"):
        (root / f"train/ABF10/rgb/{name}.png").unlink()
    with pytest.raises(DataError, match=r"ABF10/rgb/0000: missing, as \.png and as \.jpg; 2 of the 4 images in train"):
        Ho3d(root).records("training")
    (root / "train.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt: no such file; expected HO-3D's list of frames"):
        Ho3d(root).records("training")
    (root / "evaluation/SM1/rgb").rename(root / "evaluation/SM1/colour")
    with pytest.raises(DataError, match=r"SM1/rgb/0100: missing.* 2 of the 3 images in evaluation\.txt"):
        Ho3d(root).records("evaluation")


@pytest.mark.parametrize("line", ["ABF10", "ABF10/rgb/0000", "../0000", "ABF10/..", "/0000", "ABF10/", r"ABF10\0000"])
def test_a_line_that_names_no_frame_is_refused(tree: Tree, line: str) -> None:
    root = tree()
    (root / "train.txt").write_text(f"ABF10/0000\n{line}\n")
    with pytest.raises(DataError, match=r"train\.txt: line 2: expected SEQ/ID, such as ABF10/0000, found"):
        Ho3d(root).records("training")


@pytest.mark.parametrize(("data", "message"), [(b" \n", "found none"), (b"\xff\xfe\xff", "not text")])
def test_a_list_that_is_none_is_refused(tree: Tree, data: bytes, message: str) -> None:
    root = tree()
    (root / "evaluation.txt").write_bytes(data)
    with pytest.raises(DataError, match=rf"evaluation\.txt: .*{message}"):
        Ho3d(root).records("evaluation")


class Bomb:
    """A pickle of it calls something."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def _cut(data: bytes) -> bytes:
    return data[:-40]


def _objects(_: bytes) -> bytes:
    return pickle.dumps({"camMat": np.array([None] * 9, object).reshape(3, 3)})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, r"not a complete pickle.*; restore the file"),
        (_objects, r"refused .*don't trust this one"),
        (lambda _: pickle.dumps({"camMat": Bomb()}), r"refused (posix|nt)\.system.* nothing was run.*don't trust"),
        (lambda _: pickle.dumps({"camMat": np.eye(3), "handBeta": Bomb()}), r"refused (posix|nt)\.system"),
        (lambda _: pickle.dumps({"camMat": scipy.sparse.csc_matrix(np.eye(3))}), r"refused scipy\.sparse"),
        (lambda _: pickle.dumps([np.eye(3)]), "expected a dictionary, found list"),
    ],
    ids=["cut", "objects", "hostile", "hidden", "sparse", "list"],
)
@pytest.mark.parametrize("split", ["training", "evaluation"])
def test_a_broken_or_hostile_pickle_is_one_line(
    tree: Tree, split: Any, spoil: Callable[[bytes], bytes], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree()
    folder, frame = {"training": ("train", "ABF10/0007"), "evaluation": ("evaluation", "AP10/0001")}[split]
    path = write_meta(root, folder, frame, python2_pickle(train_meta(TRAIN["ABF10/0007"])))
    path.write_bytes(spoil(path.read_bytes()))
    monkeypatch.chdir(root)
    with pytest.raises(DataError, match=message) as error:
        list(Ho3d(root).records(split))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (root / "ran").exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("camMat", np.eye(4), r"expected finite numbers of shape \(3, 3\), found"),
        ("camMat", np.full((3, 3), np.inf), "expected finite numbers"),
        ("camMat", np.diag([-60.0, 60, 1]), r"expected \[\[fx, s, cx\], .*found \[\[-60"),
        ("camMat", "unknown", "found unknown"),
        ("handJoints3D", np.zeros((20, 3)), r"shape \(21, 3\) or \(3,\), found"),
        ("handJoints3D", [[0.0, 1.0], [2.0]], "expected finite numbers"),
        ("handBoundingBox", [1, 2, 3], r"shape \(4,\), found \[1, 2, 3\]"),
        ("handBoundingBox", [10, 2, 10, 8], "expected x1 < x2 and y1 < y2"),
    ],
)
def test_a_field_of_another_form_is_named(tree: Tree, field: str, value: Any, message: str) -> None:
    root = tree()
    meta = evaluation_meta(EVALUATION["AP10/0001"])
    path = write_meta(root, "evaluation", "AP10/0001", pickle.dumps({**meta, field: value}))
    with pytest.raises(DataError, match=message) as error:
        Ho3d(root).records("evaluation")[1]
    assert str(error.value).startswith(f"{path}: {field}: ")
    assert "\n" not in str(error.value)


def test_an_evaluation_frame_needs_its_camera(tree: Tree) -> None:
    root = tree()
    meta = {**evaluation_meta(EVALUATION["AP10/0001"]), "camMat": None}
    path = write_meta(root, "evaluation", "AP10/0001", python2_pickle(meta))
    with pytest.raises(DataError, match=r"AP10/meta/0001\.pkl: camMat: expected a 3x3 matrix, found none"):
        Ho3d(root).records("evaluation")[1]
    path.unlink()
    with pytest.raises(DataError, match=r"AP10/meta/0001\.pkl: no such file; every evaluation frame needs it"):
        Ho3d(root).records("evaluation")[1]


def test_truth_of_something_else_is_refused(tree: Tree) -> None:
    root = tree(truth=True)
    path = root / "evaluation_xyz.json"
    theirs = json.loads(path.read_text())
    path.write_text(json.dumps(theirs[:2]))
    with pytest.raises(DataError, match=r"evaluation_xyz\.json: expected 3 items, as many as .* found 2; is it of"):
        Ho3d(root).records("evaluation")
    path.write_text(json.dumps([from_ho3d_points(joints).tolist() for joints in theirs]))
    with pytest.raises(DataError, match=r"evaluation_xyz\.json: the wrist is \d+ mm from that of evaluation/SM1/meta"):
        Ho3d(root).records("evaluation")[0]
