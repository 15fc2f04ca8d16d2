import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2hand.datasets.cameras import intrinsics_from_fov
from s2hand.datasets.files import DataError
from s2hand.datasets.folder import Folder, split_by_name
from s2hand.datasets.records import SPLITS

K = [[500.0, 0.0, 60.0], [0.0, 501.0, 61.0], [0.0, 0.0, 1.0]]
NAMES = ["a.jpg", "b/c.png", "b/ü.JPG", "d.webp"]


@pytest.fixture
def root(tmp_path: Path, write_image: Callable[..., Path]) -> Path:
    root = tmp_path / "data" / "images"
    for name in NAMES:
        write_image(root / name)
    return root


def intrinsics(root: Path, value: object) -> Path:
    path = root.parent / "K.json"
    path.write_text(json.dumps(value))
    return path


def test_every_image_is_on_one_side(root: Path) -> None:
    data = Folder(root, hand="left", fov_degrees=70, held_back=0.4)
    records = [record for split in SPLITS for record in data.records(split)]
    assert sorted(record.image for record in records) == NAMES
    assert all(data.records(split) for split in SPLITS)
    for record in records:
        assert record.hand == "left"
        assert record.path == root / record.image
        assert record.K is None
        camera = record.intrinsics(30, 40)
        assert camera.source == "assumed field of view of 70 degrees"
        np.testing.assert_array_equal(camera.K, intrinsics_from_fov(30, 40, 70))


def test_the_split_follows_from_the_names() -> None:
    names = [f"{number}.jpg" for number in range(1000)]
    split = split_by_name(names, 0.2, seed=0)
    assert sorted(split["training"] + split["evaluation"]) == sorted(names)
    assert 160 < len(split["evaluation"]) < 240
    assert split == split_by_name(names, 0.2, seed=0)
    assert split["evaluation"] != split_by_name(names, 0.2, seed=1)["evaluation"]
    fewer = split_by_name(names[::2], 0.2, seed=0)
    assert set(fewer["evaluation"]) == set(split["evaluation"]) & set(names[::2])
    more = split_by_name(names, 0.3, seed=0)
    assert set(split["evaluation"]) < set(more["evaluation"])


@pytest.mark.parametrize("held_back", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_each_side_gets_at_least_one(count: int, held_back: float) -> None:
    for seed in range(5):
        split = split_by_name([f"{number}.jpg" for number in range(count)], held_back, seed)
        assert split["training"]
        assert split["evaluation"]


@pytest.mark.parametrize("held_back", [1e-9, 1 - 1e-9])
def test_a_single_image_is_trained_on(held_back: float) -> None:
    assert split_by_name(["a.jpg"], held_back, 0) == {"training": ["a.jpg"], "evaluation": []}


@pytest.mark.parametrize("prefix", ["", "./", "images/", "data/images/"])
@pytest.mark.parametrize("within", [False, True])
def test_cameras_by_name_relative_to_the_folder_or_one_above(root: Path, prefix: str, within: bool) -> None:
    values = {}
    for number, name in enumerate(NAMES):
        matrix = [[500.0 + number, 0, 60], *K[1:]]
        values[prefix + name] = {"K": matrix, "hand": "left"} if within else matrix
    data = Folder(root, intrinsics=intrinsics(root, values))
    for split in SPLITS:
        for record in data.records(split):
            assert record.K is not None
            assert record.K[0, 0] == 500 + NAMES.index(record.image)
            assert record.fov_degrees is None
            assert record.K_source == "K.json"


def test_the_nearest_name_counts(root: Path, write_image: Callable[..., Path]) -> None:
    values: dict[str, object] = {f"images/{name}": K for name in NAMES}
    values["a.jpg"] = [[700.0, 0, 60], *K[1:]]
    data = Folder(root, intrinsics=intrinsics(root, values))
    focal = {record.image: record.K[0, 0] for s in SPLITS for record in data.records(s) if record.K is not None}
    assert focal == {"a.jpg": 700, "b/c.png": 500, "b/ü.JPG": 500, "d.webp": 500}


def test_relative_roots(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = intrinsics(root, {f"images/{name}": K for name in NAMES})
    monkeypatch.chdir(root)
    np.testing.assert_array_equal(Folder(".", intrinsics=path).records("training")[0].K, K)


def test_one_camera_for_all(root: Path) -> None:
    data = Folder(root, intrinsics=intrinsics(root, K))
    for split in SPLITS:
        for record in data.records(split):
            np.testing.assert_array_equal(record.K, K)


def test_an_image_without_camera_is_named(root: Path) -> None:
    path = intrinsics(root, {f"photos/{name}": K for name in NAMES[1:]} | {"a.jpg": K})
    with pytest.raises(
        DataError, match=r"no K for 3 of 4 images, the first b/c\.png; it has 4, names such as 'photos/b/c"
    ):
        Folder(root, intrinsics=path)
    with pytest.raises(DataError, match=r"no K for 4 of 4 images, the first a\.jpg; it has 0"):
        Folder(root, intrinsics=intrinsics(root, {}))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "expected a 3x3 K, or an object"),
        ([[1, 2], [3, 4]], "the one K for all images: expected a 3x3 matrix"),
        ([[10**400, 0, 1], *K[1:]], "the one K for all images: expected a 3x3 matrix of numbers K, found"),
        (dict.fromkeys(NAMES, "K"), r"a\.jpg: expected a 3x3 matrix of numbers K, found K"),
        ({name: {"hand": "left"} for name in NAMES}, r"a\.jpg: expected a 3x3 matrix of numbers K, found None"),
        ({name: [[None] * 3] * 3 for name in NAMES}, r"a\.jpg: expected a 3x3 matrix"),
        ({name: [[-500, 0, 1], *K[1:]] for name in NAMES}, "expected .* with positive fx and fy"),
        ({name: [*K[:2], [0, 0, 2]] for name in NAMES}, r"expected \[\[fx, s, cx\], \[0, fy, cy\], \[0, 0, 1\]\]"),
    ],
)
def test_a_wrong_camera_is_refused(root: Path, value: object, message: str) -> None:
    with pytest.raises(DataError, match=rf"K\.json: .*{message}"):
        Folder(root, intrinsics=intrinsics(root, value))


def test_wrong_files_and_folders(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        Folder(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        Folder(tmp_path / "empty")
    with pytest.raises(DataError, match=r"missing\.json: no such file"):
        Folder(root, intrinsics=tmp_path / "missing.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match=r"broken\.json: not valid JSON"):
        Folder(root, intrinsics=tmp_path / "broken.json")


@pytest.mark.parametrize("wrong", [{"held_back": 0.0}, {"held_back": 1.0}, {"fov_degrees": 180.0}, {"hand": "both"}])
def test_wrong_arguments(root: Path, wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Folder(root, **wrong)  # type: ignore[arg-type]


def test_the_focal_length_in_a_photograph(root: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35  # millimetres, on film
    Image.new("RGB", (400, 300)).save(root / "a.jpg", exif=exif)
    cameras = {record.image: record.intrinsics(400, 300) for split in SPLITS for record in Folder(root).records(split)}
    focal = 500 * 35 / np.hypot(36, 24)
    np.testing.assert_allclose(cameras["a.jpg"].K, [[focal, 0, 200], [0, focal, 150], [0, 0, 1]])
    assert cameras["a.jpg"].source == "Exif focal length on 35 mm film"
    assert cameras["d.webp"].source == "assumed field of view of 50 degrees"
    believed_none = Folder(root, exif=False).records("training")
    assert {record.intrinsics(400, 300).source for record in believed_none} == {"assumed field of view of 50 degrees"}
