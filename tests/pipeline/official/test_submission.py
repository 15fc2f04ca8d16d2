"""Submissions: written, read back, and refused where they are not what the challenge takes."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2hand.datasets.files import DataError
from s2hand.pipeline.official.challenges import CHALLENGES
from s2hand.pipeline.official.metrics import HandSet
from s2hand.pipeline.official.submission import first_hands, read_submission, write_submission

FREIHAND, HO3D = CHALLENGES["freihand"], CHALLENGES["ho3d_v2"]
MANO = ["wrist", *(finger for finger in ("index", "middle", "little", "ring", "thumb") for _ in range(3))]


@pytest.fixture(scope="module")
def hands(reference: Any) -> HandSet:
    """More hands than are written at a time."""
    predicted = reference.predicted
    return HandSet(
        np.concatenate([predicted.joints, predicted.joints[:6]]), np.tile(predicted.vertices, (2, 1, 1))[:70]
    )


@pytest.mark.parametrize("name", list(CHALLENGES))
@pytest.mark.parametrize("file", ["pred.json", "pred.zip"])
def test_what_is_written_is_read(tmp_path: Path, hands: HandSet, name: str, file: str) -> None:
    challenge = CHALLENGES[name]
    write_submission(tmp_path / "new", challenge, hands.joints, hands.vertices)  # type: ignore[arg-type]
    found = read_submission(tmp_path / "new" / file, challenge, 70)
    np.testing.assert_allclose(found.joints, hands.joints, rtol=0, atol=5.1e-7)
    np.testing.assert_allclose(found.vertices, hands.vertices, rtol=0, atol=5.1e-7)  # type: ignore[arg-type]


def test_the_files_are_the_challenges(tmp_path: Path, hands: HandSet) -> None:
    for folder, challenge in (("freihand", FREIHAND), ("ho3d", HO3D)):
        write_submission(tmp_path / folder, challenge, hands.joints[:2], hands.vertices[:2])  # type: ignore[index]
    ours, vertices = json.loads((tmp_path / "freihand/pred.json").read_text())
    theirs, flipped = json.loads((tmp_path / "ho3d/pred.json").read_text())
    np.testing.assert_allclose(ours, hands.joints[:2], atol=1e-6)
    np.testing.assert_allclose(np.array(vertices) * [1, -1, -1], flipped)
    assert (np.array(theirs)[..., 2] < 0).all()  # OpenGL's: the hand lies along negative z
    fingers = {"wrist": [0], "thumb": [1, 2, 3], "index": [5, 6, 7], "middle": [9, 10, 11]}
    fingers |= {"ring": [13, 14, 15], "little": [17, 18, 19]}
    order = [fingers[finger].pop(0) for finger in MANO] + [4, 8, 12, 16, 20]
    np.testing.assert_allclose(np.array(ours)[:, order] * [1, -1, -1], theirs)


def test_same_hands_same_bytes(tmp_path: Path, hands: HandSet, monkeypatch: pytest.MonkeyPatch) -> None:
    write_submission(tmp_path / "a", FREIHAND, hands.joints[:3], hands.vertices[:3])  # type: ignore[index]
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_submission(tmp_path / "b", FREIHAND, hands.joints[:3], hands.vertices[:3])  # type: ignore[index]
    for name in ("pred.json", "pred.zip"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with zipfile.ZipFile(tmp_path / "a/pred.zip") as archive:
        assert archive.namelist() == ["pred.json"]
        assert archive.read("pred.json") == (tmp_path / "a/pred.json").read_bytes()


def test_one_hand_per_image() -> None:
    assert first_hands(["a.jpg", "a.jpg:1", "b.jpg", "c.jpg", "c.jpg:1", "c.jpg:2"]) == [0, 2, 3]


def lists(count: int = 2, joints: int = 21, vertices: int = 778, value: Any = 0.5) -> list[Any]:
    return [np.full((count, number, 3), value).tolist() for number in (joints, vertices)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lists(3), "joints: expected 2 items, one for each evaluation image, found 3"),
        ([lists()[0], lists(1)[1]], "vertices: expected 2 items, .* found 1"),
        (lists(vertices=777), r"vertices: item 0: expected finite numbers of shape \(778, 3\), found shape \(777, 3\)"),
        (lists(joints=20), r"joints: item 0: expected .* found shape \(20, 3\)"),
        (lists(value=np.nan), r"joints: item 0: expected finite numbers"),
        (lists()[:1], "expected a JSON list of 2 lists: joints, vertices"),
        ({"joints": []}, "expected a JSON list of 2 lists: joints, vertices"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "pred.json").write_text(json.dumps(content))
    with zipfile.ZipFile(tmp_path / "pred.zip", "w") as archive:
        archive.write(tmp_path / "pred.json", "pred.json")
    for name in ("pred.json", "pred.zip"):
        with pytest.raises(DataError, match=rf"{name}: {message}"):
            read_submission(tmp_path / name, FREIHAND, 2)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pred.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pred.json", json.dumps(lists()))
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of both headers
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"pred\.zip: broken archive \(.*encrypted"):
        read_submission(path, FREIHAND, 2)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pred.zip"
    with pytest.raises(DataError, match=r"pred\.zip: no such file"):
        read_submission(path, FREIHAND, 2)
    path.write_bytes(b"\x80\x81")
    with pytest.raises(DataError, match=r"pred\.zip: not valid JSON"):
        read_submission(path, FREIHAND, 2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match=r"pred\.zip: expected pred\.json in it, found readme\.txt"):
        read_submission(path, FREIHAND, 2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine/predictions.json", json.dumps(lists()))
    assert read_submission(path, FREIHAND, 2).joints.shape == (2, 21, 3)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"pred\.zip: "):
        read_submission(path, FREIHAND, 2)
