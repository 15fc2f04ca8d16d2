import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import DataError, sha256_file
from s2hand.datasets.packs import Pack, Rows, Sample, write_pack
from s2hand.datasets.rows import package_version

SOURCES = {"keypoints": "ab" * 32, "ä": "cd"}
PARAMETERS = {"size": 16, "names": ["ü", None]}


def sample(number: int, truth: bool = True, **changes: Any) -> Sample:
    """A sample whose every field tells its number."""
    keypoints = np.full((21, 3), 0.5, np.float32)
    keypoints[3] = (np.nan, np.nan, 0)
    keypoints[5, 0] = number
    fields: dict[str, Any] = {
        "name": f"ö/{number}.jpg",
        "image": np.full((16, 16, 3), number % 256, np.uint8),
        "K": np.diag([100.0 + number, 100, 1]),
        "keypoints": keypoints,
        "mirrored": number % 3 == 0,
        "box": Box(number, -1.5, 16, 16),
        "joints_cam": np.full((21, 3), number / 100) if truth else None,
        "vertices_cam": np.full((778, 3), number / 100) if truth else None,
    }
    return Sample(**{**fields, **changes})


def samples(count: int, truth: bool = True) -> Iterator[Sample]:
    return (sample(number, truth) for number in range(count))


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """150 rows: more than are written at a time."""
    assert write_pack(tmp_path / "a" / "eval.h5", samples(150), SOURCES, PARAMETERS) == 150
    return Pack(tmp_path / "a" / "eval.h5")


def check_rows(rows: Rows, indices: list[int]) -> None:
    assert len(rows.images) == len(indices)
    expected = [sample(number) for number in indices]
    for row, one in enumerate(expected):
        assert one.joints_cam is not None
        assert one.vertices_cam is not None
        assert rows.joints_cam is not None
        assert rows.vertices_cam is not None
        np.testing.assert_array_equal(rows.images[row], one.image)
        np.testing.assert_array_equal(rows.K[row], one.K.astype(np.float32))
        np.testing.assert_array_equal(rows.keypoints[row], one.keypoints)
        np.testing.assert_array_equal(rows.boxes[row], one.box.as_array())
        np.testing.assert_array_equal(rows.joints_cam[row], one.joints_cam.astype(np.float32))
        np.testing.assert_array_equal(rows.vertices_cam[row], one.vertices_cam.astype(np.float32))
        assert rows.mirrored[row] == one.mirrored


def test_rows_come_in_any_order_and_repeated(pack: Pack) -> None:
    check_rows(pack.rows([149, 0, 63, 64, 64, 5]), [149, 0, 63, 64, 64, 5])
    np.testing.assert_array_equal(pack.rows(-1).images, pack.rows(149).images)
    assert pack.rows([]).images.shape == (0, 16, 16, 3)
    assert pack.rows(np.arange(150)).keypoints.shape == (150, 21, 3)
    with pytest.raises(IndexError):
        pack.rows([150])


def test_annotations_are_the_rows_without_their_pixels(pack: Pack) -> None:
    chosen = [149, 0, 64, 64, -2]
    rows, annotations = vars(pack.rows(chosen)), vars(pack.annotations(chosen))
    images = rows.pop("images")
    assert annotations.keys() == rows.keys()
    assert annotations["size"] == images.shape[1]
    for name, values in annotations.items():
        np.testing.assert_array_equal(values, rows[name])


def test_which_rows_are_mirrored(pack: Pack) -> None:
    assert np.flatnonzero(pack.mirrored()).tolist() == list(range(0, 150, 3))
    pack.mirrored()[:] = True  # the caller's own
    assert pack.mirrored().sum() == 50


def test_rows_are_the_callers_own(pack: Pack) -> None:
    rows = pack.rows([1])
    rows.keypoints[:] = rows.K[:] = rows.images[:] = 0
    check_rows(pack.rows([1]), [1])


def test_a_pack_says_what_it_is(pack: Pack) -> None:
    assert len(pack) == 150
    assert pack.size == 16
    assert pack.has_joints
    assert pack.has_vertices
    assert pack.names() == [f"ö/{number}.jpg" for number in range(150)]
    assert pack.sources == SOURCES
    assert pack.parameters == PARAMETERS
    assert pack.created_by == f"s2hand {package_version()}"


def test_types_and_chunks(pack: Pack) -> None:
    with h5py.File(pack.path) as file:
        assert file["images"].chunks == (1, 16, 16, 3)
        assert {name: dataset.dtype.name for name, dataset in file.items()} == {
            "K": "float32",
            "boxes": "float32",
            "images": "uint8",
            "joints_cam": "float32",
            "keypoints": "float32",
            "mirrored": "bool",
            "names": "object",
            "vertices_cam": "float32",
        }


def test_a_pack_without_truth(tmp_path: Path) -> None:
    write_pack(tmp_path / "train.h5", samples(3, truth=False), {}, {})
    with Pack(tmp_path / "train.h5") as pack:
        assert not pack.has_joints
        assert not pack.has_vertices
        rows = pack.rows([2, 1])
    assert rows.joints_cam is None
    assert rows.vertices_cam is None
    assert rows.images[:, 0, 0, 0].tolist() == [2, 1]


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_pack(tmp_path / name, samples(70), SOURCES, PARAMETERS)
    assert sha256_file(tmp_path / "a.h5") == sha256_file(tmp_path / "b.h5")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_an_open_pack(pack: Pack, method: str) -> None:
    """Workers that are forked with the file open, or that get the pack sent."""
    check_rows(pack.rows([7]), [7])
    generator = np.random.default_rng(0)
    tasks = [generator.integers(0, 150, 20).tolist() for _ in range(8)]
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        for rows, indices in zip(pool.map(pack.rows, tasks), tasks, strict=True):
            check_rows(rows, indices)
    check_rows(pack.rows([8]), [8])


def test_threads_share_a_pack(pack: Pack) -> None:
    tasks = [[start, start + 9] for start in range(8)] * 5
    with ThreadPoolExecutor(4) as pool:
        for rows, indices in zip(pool.map(pack.rows, tasks), tasks, strict=True):
            check_rows(rows, indices)


def test_a_closed_pack_opens_again(pack: Pack) -> None:
    check_rows(pack.rows([1]), [1])
    pack.close()
    pack.close()
    check_rows(pack.rows([2]), [2])
    copy = pickle.loads(pickle.dumps(pack))
    check_rows(copy.rows([3]), [3])


def test_writing_takes_constant_memory(tmp_path: Path) -> None:
    """1,000 crops of 256 x 256 are 197 MB; the process grows by a small part of that."""
    image = np.zeros((256, 256, 3), np.uint8)
    write_pack(tmp_path / "warm.h5", (sample(i, image=image.copy()) for i in range(100)), {}, {})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_pack(tmp_path / "a.h5", (sample(i, False, image=image.copy()) for i in range(1000)), {}, {})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB
    (tmp_path / "a.h5").unlink()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (sample(1, truth=False), r"ö/1\.jpg: expected the columns .*joints_cam"),
        (sample(1, image=np.zeros((8, 8, 3), np.uint8)), r"ö/1\.jpg: image: expected \(16, 16, 3\)"),
    ],
)
def test_unequal_samples_leave_the_old_pack(tmp_path: Path, second: Sample, message: str) -> None:
    path = tmp_path / "a.h5"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        write_pack(path, [sample(0), second], {}, {})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.h5"]


def test_no_sample_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.h5: there is no sample to pack"):
        write_pack(tmp_path / "a.h5", [], {}, {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image", np.zeros((16, 15, 3), np.uint8), "image: expected uint8"),
        ("image", np.zeros((16, 16, 3), np.float32), "image: expected uint8"),
        ("K", np.eye(4), r"K: expected \(3, 3\)"),
        ("K", np.full((3, 3), np.inf), "K: expected finite numbers"),
        ("keypoints", np.zeros((21, 3), np.float32), "keypoints: expected NaN"),
        ("keypoints", np.ones((21, 3)), "keypoints: expected float32"),
        ("keypoints", np.ones((20, 3), np.float32), r"keypoints: expected \(21, 3\)"),
        ("joints_cam", np.full((21, 3), np.nan), "joints_cam: expected finite numbers"),
        ("vertices_cam", np.zeros((21, 3)), r"vertices_cam: expected \(778, 3\)"),
    ],
)
def test_samples_check_themselves(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"ö/0\.jpg: {message}"):
        sample(0, **{field: value})


def test_what_is_no_pack_is_refused(tmp_path: Path, pack: Pack) -> None:
    with pytest.raises(DataError, match=r"missing\.h5: no such file"):
        Pack(tmp_path / "missing.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(DataError, match=r"text\.h5: not an HDF5 file"):
        Pack(tmp_path / "text.h5")
    data = pack.path.read_bytes()
    (tmp_path / "half.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"half\.h5: not an HDF5 file, or cut short"):
        Pack(tmp_path / "half.h5")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(DataError, match=r"other\.h5: not a pack of format 1 \(found none\)"):
        Pack(tmp_path / "other.h5")


@pytest.mark.parametrize("column", ["images", "K", "keypoints", "names", "mirrored", "boxes", "vertices_cam"])
def test_a_wrong_dataset_is_named(pack: Pack, column: str) -> None:
    with h5py.File(pack.path, "r+") as file:
        del file[column]
        file[column] = np.zeros(7)
    with pytest.raises(DataError, match=rf"eval\.h5: {column}: expected .*pack again"):
        Pack(pack.path)
    if column != "vertices_cam":
        with h5py.File(pack.path, "r+") as file:
            del file[column]
        with pytest.raises(DataError, match=rf"eval\.h5: {column}: "):
            Pack(pack.path)


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_packs import sample, write_pack
def endless():
    for number in range(10**9):
        if number == 300: print("writing", flush=True)
        yield sample(number)
write_pack(Path(sys.argv[1]), endless(), {}, {})
"""


def test_a_killed_writer_leaves_the_old_pack(pack: Pack) -> None:
    before = sha256_file(pack.path)
    command = [sys.executable, "-c", KILLED, str(pack.path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert sha256_file(pack.path) == before
    check_rows(Pack(pack.path).rows([4]), [4])
