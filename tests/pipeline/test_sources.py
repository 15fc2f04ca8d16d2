"""The line that switches the data set: what lies at `data.input` says how it is read."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from s2hand.datasets.files import read_json
from s2hand.pipeline.params import DataParams
from s2hand.pipeline.sources import INDEX, open_source, require_images, source_name, write_index

K = [[480.0, 0, 112], [0, 480, 112], [0, 0, 1]]


def freihand(root: Path) -> None:
    for split in ("training", "evaluation"):
        (root / split / "rgb").mkdir(parents=True)
        cv2.imwrite(str(root / split / "rgb" / "00000000.jpg"), np.zeros((8, 8, 3), np.uint8))
        (root / f"{split}_K.json").write_text(json.dumps([K]))


def test_what_lies_there_is_recognised(tmp_path: Path) -> None:
    freihand(tmp_path / "freihand")
    (tmp_path / "photographs").mkdir()
    (tmp_path / "ho3d").mkdir()
    (tmp_path / "ho3d" / "evaluation.txt").touch()
    (tmp_path / "hand.npz").touch()
    found = {name: source_name(DataParams(input=str(tmp_path / name))) for name in ("freihand", "photographs", "ho3d")}
    assert found == {"freihand": "freihand", "photographs": "folder", "ho3d": "ho3d"}
    assert source_name(DataParams(input=str(tmp_path / "hand.npz"))) == "synthetic"
    assert source_name(DataParams(input=str(tmp_path / "freihand"), source="folder")) == "folder"
    with pytest.raises(ValueError, match=r"data\.input: expected a data set, .* found no .*nowhere"):
        source_name(DataParams(input=str(tmp_path / "nowhere")))


def test_the_index_says_where_cameras_come_from(tmp_path: Path) -> None:
    root = tmp_path / "photographs"
    root.mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    for number in range(12):
        picture = Image.new("RGB", (40, 30), (number, 0, 0))
        picture.save(root / f"{number:02d}.jpg", exif=exif if number % 2 else Image.Exif())
    (root / "broken.jpg").write_bytes(b"no photograph")
    data = DataParams(input=str(root))
    write_index(open_source(data, tmp_path), tmp_path / INDEX, lambda done, total: None)
    index = read_json(tmp_path / INDEX)
    assert index["dataset"] == "folder"
    cameras = [index[split]["cameras"] for split in ("training", "evaluation")]
    total = {source: sum(part.get(source, 0) for part in cameras) for part in cameras for source in part}
    assert total == {
        "Exif focal length on 35 mm film": 6,
        "assumed field of view of 50 degrees": 6,
        "unreadable image": 1,
    }


def test_the_index_changes_with_what_later_stages_read(tmp_path: Path) -> None:
    root = tmp_path / "data"
    freihand(root)
    data = DataParams(input=str(root))

    def training() -> str:
        index = write_index(open_source(data, tmp_path), tmp_path / INDEX, lambda done, total: None)
        return str(index["training"]["digest"])

    before = training()
    assert training() == before
    (root / "training_xyz.json").write_text(json.dumps([[[0.0, 0.0, 0.5]] * 21]))
    assert training() != before


def test_a_split_without_images_is_refused(tmp_path: Path) -> None:
    data = DataParams(source="folder", input=str(tmp_path))
    with pytest.raises(ValueError, match=r"expected at least one image for evaluation, found none; check data.input"):
        require_images([], "evaluation", data)
