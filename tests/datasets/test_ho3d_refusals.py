"""What of HO-3D is missing, broken, hostile or of something else: one line that names the file."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from s2hand.datasets.files import DataError
from s2hand.datasets.ho3d import Ho3d, from_ho3d_points
from tests.datasets.trees.ho3d import EVALUATION, TRAIN, Tree, evaluation_meta, train_meta, write_meta
from tests.datasets.trees.python2 import python2_pickle


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


def test_what_the_system_does_not_read_is_named(tree: Tree) -> None:
    """A folder in a file's place, and a link to itself."""
    root = tree()
    meta = root / "evaluation/SM1/meta/0100.pkl"
    meta.unlink()
    meta.mkdir()
    with pytest.raises(DataError, match=r"SM1/meta/0100\.pkl: can't be read: Is a directory"):
        Ho3d(root).records("evaluation")[0]
    (root / "train/BB11/rgb").rename(root / "elsewhere")
    (root / "train/BB11/rgb").symlink_to("rgb")
    with pytest.raises(DataError, match=r"train/BB11/rgb: can't be listed: Too many levels of symbolic links"):
        Ho3d(root).records("training")
    (root / "train.txt").unlink()
    (root / "train.txt").mkdir()
    with pytest.raises(DataError, match=r"train\.txt: can't be read: Is a directory"):
        Ho3d(root).records("training")


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
        ("handBoundingBox", [1, 2, 3, 10**400], r"expected finite numbers of shape \(4,\), found \[1, 2, 3, 1000"),
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
