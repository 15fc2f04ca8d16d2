"""The restricted unpickler: what it reads equals NumPy and SciPy, what it refuses never runs."""

import collections
import os
import pickle
import sys
import types

import numpy as np
import pytest
import scipy.sparse

from s2hand.datasets.safe_pickle import NUMPY_CLASSES, BrokenPickleError, UnsafePickleError, safe_load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
RAN = []


def alarm(*arguments):
    RAN.append(arguments)
    return arguments


class Bomb:
    """Pickles as a call of something."""

    def __init__(self, call, *arguments):
        self.recipe = (call, arguments)

    def __reduce__(self):
        return self.recipe


@pytest.fixture(autouse=True)
def nothing_ran():
    RAN.clear()
    yield
    assert not RAN


# --- what it reads
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.int64).reshape(3, 4)),
        np.arange(5, dtype=">f4"),
        np.array([[True], [False]]),
        np.array(3.5, dtype=np.float16),
        np.zeros((0, 3), np.uint32),
    ],
    ids=str,
)
def test_reads_arrays_of_every_protocol(protocol, array):
    found = safe_load(pickle.dumps({"a": array}, protocol=protocol))["a"]
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix])
def test_reads_sparse_matrices_as_dense_ones(protocol, kind):
    dense = np.random.default_rng(0).random((5, 7)) * (np.random.default_rng(1).random((5, 7)) > 0.6)
    data = pickle.dumps(kind(dense), protocol=protocol)
    if protocol < 2:  # made with copyreg._reconstructor, which is refused
        with pytest.raises(UnsafePickleError, match="_reconstructor"):
            safe_load(data)
    else:
        np.testing.assert_array_equal(safe_load(data), dense)


def test_repeated_sparse_entries_add_up():
    matrix = scipy.sparse.csc_matrix(([1.0, 2.0, 4.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    np.testing.assert_array_equal(safe_load(pickle.dumps(matrix)), [[0, 4], [3, 0]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_reads_plain_values_and_numpy_scalars(protocol):
    value = {"a": [1, 2.5, "text", None, True], "b": (3, b"bytes"), "c": np.float32(0.25), "d": {1, 2}}
    assert safe_load(pickle.dumps(value, protocol=protocol)) == value


def test_reads_old_names_and_python_2_strings():
    """As NumPy 1 under Python 2 wrote array([1, 2], dtype='<i4')."""
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02i4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x01\x00\x00\x00\xff\xff\xff\xfftb."
    )
    np.testing.assert_array_equal(safe_load(data), np.array([1, -1], np.int32))


def test_an_object_that_occurs_twice_is_read_once():
    array = np.arange(3.0)
    found = safe_load(pickle.dumps([array, array]))
    assert found[0] is found[1]


@pytest.fixture
def chumpy(monkeypatch):
    """Classes that pickle under chumpy's names; the real package no longer installs."""
    made = {}
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        made[name] = type(name, (), {"__module__": module})
        holder = types.ModuleType(module)
        setattr(holder, name, made[name])
        monkeypatch.setitem(sys.modules, module, holder)
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    return types.SimpleNamespace(**made)


def selection(chumpy, array, chosen, shape):
    constant, select = chumpy.Ch(), chumpy.Select()
    constant.__dict__.update(x=array, _dirty_vars=set(), _itr=None, _depends_on_deps={})
    select.__dict__.update(a=constant, idxs=chosen, preferred_shape=shape, _dirty_vars={"idxs", "a"})
    return select


def test_reads_chumpys_selection_of_some_elements(chumpy):
    array = np.random.default_rng(0).random((4, 3, 20))
    chosen = np.arange(array.size).reshape(array.shape)[:, :, :10]
    data = pickle.dumps(selection(chumpy, array, chosen.ravel(), (4, 3, 10)), protocol=2)
    np.testing.assert_array_equal(safe_load(data), array[:, :, :10])
    constant = selection(chumpy, array, chosen, (4, 3, 10)).a
    np.testing.assert_array_equal(safe_load(pickle.dumps(constant, protocol=2)), array)


@pytest.mark.parametrize("chosen", [np.array([0, 12]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([1])])
def test_a_selection_of_elements_that_are_not_there_is_refused(chumpy, chosen):
    data = pickle.dumps(selection(chumpy, np.arange(12.0), chosen, (2,)), protocol=2)
    with pytest.raises(BrokenPickleError, match=r"selection of . elements does not fit"):
        safe_load(data)


def test_a_selection_from_nothing_is_refused(chumpy):
    data = pickle.dumps(selection(chumpy, 12.0, np.array([0]), (1,)), protocol=2)
    with pytest.raises(BrokenPickleError, match="selection has no array to choose from"):
        safe_load(data)


# --- what it refuses
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("bomb", "name"),
    [
        (Bomb(os.system, "true"), r"(posix|nt)\.system"),
        (Bomb(eval, "alarm()"), r"(builtins|__builtin__)\.eval"),
        (Bomb(exec, "alarm()"), r"(builtins|__builtin__)\.exec"),
        (Bomb(getattr, "text", "upper"), r"(builtins|__builtin__)\.getattr"),
        (Bomb(alarm, 1), r"\.alarm"),
        (Bomb(np.fromfile, "/etc/hostname"), r"numpy.*\.fromfile"),
        (Bomb(collections.OrderedDict), r"collections\.OrderedDict"),
        (np.random.RandomState(0), r"numpy\.random"),
        (np.ma.array([1.0]), r"numpy\.ma"),
    ],
    ids=["system", "eval", "exec", "getattr", "own", "fromfile", "dict", "random", "masked"],
)
def test_a_call_of_anything_else_is_refused_by_name(protocol, bomb, name):
    for nested in (bomb, {"f": np.zeros(3), "v": [(bomb,)]}):
        with pytest.raises(UnsafePickleError, match=f"refused .*{name}.* nothing was run"):
            safe_load(pickle.dumps(nested, protocol=protocol))


def test_a_call_hidden_in_a_state_is_refused(chumpy):
    hiding = chumpy.Ch()
    hiding.x = Bomb(os.system, "true")
    with pytest.raises(UnsafePickleError, match="system"):
        safe_load(pickle.dumps(hiding, protocol=2))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_in_an_objects_place_is_refused(protocol):
    with pytest.raises(UnsafePickleError, match="refused an object of type type"):
        safe_load(pickle.dumps(np.ndarray, protocol=protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_objects_are_refused(protocol):
    for array in (np.array([None, {}], dtype=object), np.zeros(2, dtype=[("a", "f8"), ("b", "O")])):
        with pytest.raises((UnsafePickleError, BrokenPickleError), match=r"only numbers|refused"):
            safe_load(pickle.dumps(array, protocol=protocol))


@pytest.mark.parametrize("array", [np.array(["text"]), np.array(["2020-01-01"], "M8[D]"), np.zeros(2, "c16")])
def test_arrays_of_anything_but_numbers_are_refused(array):
    with pytest.raises(UnsafePickleError, match="only numbers are read"):
        safe_load(pickle.dumps(array, protocol=2))


def test_what_only_a_hand_model_needs_is_refused_elsewhere(chumpy):
    assert safe_load(pickle.dumps({"a": np.arange(3.0)}), NUMPY_CLASSES)["a"].tolist() == [0, 1, 2]
    matrix, constant = scipy.sparse.csc_matrix(np.eye(2)), selection(chumpy, np.eye(2), np.arange(4), (2, 2)).a
    for value in (matrix, constant):
        with pytest.raises(UnsafePickleError, match=r"refused (scipy|chumpy)\."):
            safe_load(pickle.dumps(value, protocol=2), NUMPY_CLASSES)


def test_a_class_cant_be_changed_through_its_state():
    """BUILD with a pair of dictionaries sets attributes; on a stand-in's class it must not."""
    for class_name in (b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cchumpy.ch\nCh\n"):
        with pytest.raises(BrokenPickleError):
            safe_load(b"\x80\x02" + class_name + b"N}U\x05valueK\x01s\x86b.")
    np.testing.assert_array_equal(safe_load(pickle.dumps(np.arange(3))), np.arange(3))


ARRAY = pickle.dumps(np.arange(4, dtype=np.int32), protocol=2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a complete pickle"),
        (ARRAY[:-20], "not a complete pickle"),
        (ARRAY.replace(b"K\x01K\x04\x85", b"K\x01K\x05\x85"), r"shape \(5,\) and dtype int32 has 16 bytes"),
        (ARRAY.replace(b"K\x01K\x04\x85", b"K\x01J\xff\xff\xff\xff\x85"), "expected a shape"),
        (ARRAY.replace(b"K\x01K\x04\x85", b"K\x01J\xff\xff\xff\x7f\x85"), "larger than any hand model"),
        (b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", "without its contents"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R.", "an array has no state"),
        (b"\x80\x02cnumpy.core.multiarray\nscalar\nU\x02i4U\x04abcd\x86R.", "expected a dtype, found str"),
        (b"\x80\x02c_codecs\nencode\nK\x01\x85R.", "expected the bytes of an array, found int"),
        (b"\x80\x02}cchumpy.ch\nCh\n)\x81K\x01s.", "key of type"),
        (b"\x80\x02cchumpy.ch\nCh\n)\x81.", "has no attributes"),
        (b"\x80\x02]q\x00h\x00a.", "refer to themselves"),
        (b"\x80\x02" + b"]" * 40 + b"a" * 39 + b".", "nest deeper"),
        (b"\x80\x02Pname\n.", "not a complete pickle"),
        (b"plain text", "not a complete pickle"),
    ],
)
def test_damage_is_one_clear_line(data, message):
    with pytest.raises(BrokenPickleError, match=message) as error:
        safe_load(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"indices": np.array([0, 9], np.int32)},
        {"indices": np.array([0, -1], np.int32)},
        {"indptr": np.array([0, 2, 1, 2], np.int32)},
        {"indptr": np.array([0, 2], np.int32)},
        {"indptr": np.array([1, 1, 2, 2], np.int32)},
        {"data": np.array([1.0])},
        {"_shape": (2, 3, 4)},
        {"_shape": None},
        {"data": 1},
    ],
    ids=str,
)
def test_a_sparse_matrix_that_points_outside_itself_is_refused(change):
    matrix = scipy.sparse.csc_matrix(([1.0, 2.0], [0, 1], [0, 1, 2, 2]), shape=(2, 3))
    matrix.__dict__.update(change)
    with pytest.raises(BrokenPickleError, match=r"sparse matrix|expected a shape"):
        safe_load(pickle.dumps(matrix, protocol=2))


def test_the_files_name_is_in_the_message(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafePickleError, match=r"model\.pkl: refused os\.system"):
        safe_load(path)
    with pytest.raises(FileNotFoundError):
        safe_load(tmp_path / "none.pkl")
