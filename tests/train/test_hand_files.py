"""Hand model files: both forms, the mirrored hand, and one clear line for each broken file."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.safe_pickle import BrokenPickleError, UnsafePickleError
from s2hand.train.hand_files import HandFileError, read_hand_file, write_hand_npz
from s2hand.train.hand_mirror import as_right_hand, has_unmirrored_shapes, mirrored

REFERENCE = Path(__file__).parent / "reference"
ARRAYS = ("v_template", "faces", "weights", "shapedirs", "posedirs", "J_regressor", "hands_components")
ARRAYS += ("hands_mean", "parents")


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def test_reads_the_licensed_layout(mano_pickle):
    arrays = read_hand_file(mano_pickle)
    checks = json.loads((REFERENCE / "mano_model_checks.json").read_text())
    for key, check in checks.items():
        found = getattr(arrays, "faces" if key == "f" else key)
        assert list(found.shape) == check["shape"], key
        assert found.sum() == pytest.approx(check["sum"], abs=1e-9), key
        assert (found.astype(float) ** 2).sum() == pytest.approx(check["sum_of_squares"], rel=1e-12), key
        assert found.ravel()[:3].tolist() == check["first"], key
        assert found.ravel()[-3:].tolist() == check["last"], key
    assert arrays.parents.tolist() == [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    assert (arrays.side, arrays.fingertips) == ("right", None)


def test_the_npz_holds_the_same(mano_pickle, tmp_path):
    arrays = replace(read_hand_file(mano_pickle), fingertips=(5, 4, 3, 2, 1), side="left")
    write_hand_npz(tmp_path / "hand.npz", arrays, dtype=np.float64)
    again = read_hand_file(tmp_path / "hand.npz")
    assert same(again, arrays)
    assert (again.side, again.fingertips) == ("left", (5, 4, 3, 2, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["hand.npz"]


def test_the_npz_is_written_the_same_each_time_and_in_float32(random_hand_arrays, tmp_path):
    arrays = random_hand_arrays()
    for name in ("a.npz", "b.npz"):
        write_hand_npz(tmp_path / name, arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = read_hand_file(str(tmp_path / "a.npz"))
    assert np.array_equal(again.posedirs, arrays.posedirs.astype(np.float32))
    assert again.posedirs.dtype == np.float64


@pytest.mark.parametrize(("name", "side"), [("MANO_LEFT.pkl", "left"), ("mano_right.pkl", "right")])
def test_the_pickles_side_is_in_its_name(mano_pickle, tmp_path, name, side):
    path = tmp_path / name
    path.write_bytes(mano_pickle.read_bytes())
    assert read_hand_file(path).side == side
    assert read_hand_file(path, side="right").side == "right"
    with pytest.raises(HandFileError, match="side: expected 'right' or 'left', found 'both'"):
        read_hand_file(path, side="both")


# --- the mirrored hand
# -------------------------------------------------------------------------------------------


def test_mirroring_twice_changes_nothing(random_hand_arrays):
    arrays = random_hand_arrays()
    left = mirrored(arrays)
    assert left.side == "left"
    assert not same(left, arrays)
    assert same(mirrored(left), arrays)
    assert as_right_hand(arrays) is arrays
    assert same(as_right_hand(left), arrays)


def test_mirroring_keeps_the_outside_outside(random_hand_arrays):
    arrays = random_hand_arrays()

    def volumes(hand):
        a, b, c = (hand.v_template[hand.faces[:, k]] for k in range(3))
        return np.einsum("fi,fi->f", a, np.cross(b, c))

    np.testing.assert_allclose(volumes(mirrored(arrays)), volumes(arrays), rtol=0, atol=1e-15)


def test_the_published_left_hands_shape_directions_are_repaired(random_hand_arrays):
    right = random_hand_arrays()
    shapedirs = right.shapedirs.copy()
    shapedirs[:, :, 0] = 0.1 * (right.v_template - right.v_template.mean(0))  # the hand's size
    right = replace(right, shapedirs=shapedirs)
    left = mirrored(right)
    published = replace(left, shapedirs=right.shapedirs)
    assert has_unmirrored_shapes(published)
    assert same(as_right_hand(published), right)
    assert not has_unmirrored_shapes(left)
    assert same(as_right_hand(left), right)
    assert not has_unmirrored_shapes(replace(left, shapedirs=0 * shapedirs))


# --- broken files
# -------------------------------------------------------------------------------------------------


def content(arrays):
    return {
        "v_template": arrays.v_template,
        "f": arrays.faces.astype(np.uint32),
        "weights": arrays.weights,
        "shapedirs": arrays.shapedirs,
        "posedirs": arrays.posedirs,
        "J_regressor": arrays.J_regressor,
        "hands_components": arrays.hands_components,
        "hands_mean": arrays.hands_mean,
        "kintree_table": np.stack([arrays.parents, np.arange(16)]),
    }


def one_line(error):
    return "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posedirs": None}, "missing posedirs"),
        ({"weights": np.zeros((16, 778))}, r"weights: expected an array of shape \(778, 16\), .*\(16, 778\)"),
        ({"f": np.full((1538, 3), 778)}, "faces: expected vertices 0 to 777, found 778 to 778"),
        ({"hands_mean": np.full(45, np.nan)}, "hands_mean: expected finite numbers"),
        ({"kintree_table": np.zeros((2, 15), int)}, r"kintree_table: expected .*\(2, 16\), found \(2, 15\)"),
        ({"kintree_table": np.full((2, 16), 15)}, "kintree_table: expected parents before children"),
        ({"fingertips": np.arange(4)}, "fingertips: expected 5 vertices, found 4"),
        ({"fingertips": np.arange(5) + 775}, "fingertips: expected vertices 0 to 777, found 775 to 779"),
    ],
)
def test_a_wrong_field_is_named(random_hand_arrays, tmp_path, suffix, change, message):
    changed = {k: v for k, v in (content(random_hand_arrays()) | change).items() if v is not None}
    path = tmp_path / f"hand{suffix}"
    if suffix == ".npz":
        np.savez(path, **changed)
    else:
        path.write_bytes(pickle.dumps(changed, protocol=2))
    with pytest.raises(HandFileError, match=message) as error:
        read_hand_file(path)
    assert str(path) in str(error.value)
    assert one_line(error)


@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_a_truncated_file_is_refused(mano_pickle, random_hand_arrays, tmp_path, kept):
    write_hand_npz(tmp_path / "hand.npz", random_hand_arrays())
    for path in (mano_pickle, tmp_path / "hand.npz"):
        broken = tmp_path / f"broken{path.suffix}"
        broken.write_bytes(path.read_bytes()[:kept])
        with pytest.raises((HandFileError, BrokenPickleError), match="not a complete") as error:
            read_hand_file(broken)
        assert str(broken) in str(error.value)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "hand.pkl"
    path.write_text("not a hand")
    with pytest.raises(BrokenPickleError, match="not a complete pickle"):
        read_hand_file(path)
    path.write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(HandFileError, match="expected a table of arrays, found list"):
        read_hand_file(path)
    with pytest.raises(HandFileError, match="no such file"):
        read_hand_file(tmp_path / "none.pkl")


def test_an_npz_of_text_or_objects_is_refused_unread(tmp_path, random_hand_arrays):
    path = tmp_path / "hand.npz"
    np.savez(path, **(content(random_hand_arrays()) | {"f": np.array("text")}))
    with pytest.raises(HandFileError, match="f: expected an array of numbers"):
        read_hand_file(path)
    np.savez(path, **(content(random_hand_arrays()) | {"f": np.array([{}, None], dtype=object)}))
    with pytest.raises(HandFileError, match="allow_pickle"):
        read_hand_file(path)


def test_a_pickle_that_runs_something_is_refused(tmp_path):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafePickleError, match=r"refused os\.system"):
        read_hand_file(path)
