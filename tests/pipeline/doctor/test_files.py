"""The files that parameters name: there, missing, broken, another than meant."""

import json
import pickle
import re
from dataclasses import replace

import cv2
import huggingface_hub
import numpy as np
import pytest

from s2hand.datasets.files import sha256_file
from s2hand.detect import hub
from s2hand.detect.hub import BODY, HAND
from s2hand.pipeline.doctor import data, files
from s2hand.pipeline.doctor.examine import wanting
from s2hand.train import pretrained


def test_the_open_hand_is_told_from_mano_and_mano_has_a_place_to_get(place, mano):
    found = place.rows()
    assert found["hand model"].found.startswith("MANO, right, digest ")
    assert "MANO" not in found
    place.set(hand_model="hand.npz")
    found = place.rows()
    assert found["hand model"].found.startswith("the open hand, right, digest 5634e726976c1cc4")
    assert found["MANO"].state == "optional"
    assert "https://mano.is.tue.mpg.de after registering" in found["MANO"].what_to_do


def test_a_missing_hand_says_where_there_is_one(place):
    place.set(hand_model="MANO_RIGHT.pkl")
    found = place.rows()["hand model"]
    assert (found.state, found.found) == ("missing", "MANO_RIGHT.pkl: no such file")
    assert found.what_to_do.startswith("hand_model: train/assets/open_hand.npz, or the path of MANO_RIGHT.pkl, from")


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps(print), pickle.dumps({"v_template": [1]})])
def test_a_broken_pickle_is_a_row(place, mano, content):
    mano.write_bytes(content)
    found = place.rows()["hand model"]
    assert found.state == "broken"
    assert "MANO_RIGHT.pkl" in found.found
    assert "\n" not in found.found


def test_weights_are_named_by_what_they_are(place):
    found = place.rows()
    assert found["detector weights"].found.startswith("slim hand network, sha256 ")
    assert found["slim finder"].state == "ok"


def test_weights_of_another_network_are_broken(place):
    place.set(detect__weights=str(hub.packaged_path("slim-boxes")))
    found = place.rows()["detector weights"]
    assert found.state == "broken"
    assert "expected weights of the OpenPose hand network" in found.found


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache: a folder."""
    folder = tmp_path / "cache"
    folder.mkdir()

    def find(repository, name):
        return str(folder / name) if (folder / name).exists() else None

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", find)
    return folder


def test_published_weights_count_only_where_they_are_asked_for(place, cache):
    place.set(train__encoder__pretrained="never")
    found = place.rows()
    assert (found["OpenPose hand"].state, found["OpenPose body"].state) == ("optional", "optional")
    assert found["OpenPose hand"].found == "hand_pose_model.pth was not fetched yet"
    place.set(detect__weights="openpose", detect__localize="body")
    found = place.rows()
    assert wanting(list(found.values())) == ["detector weights", "OpenPose hand", "OpenPose body", "body weights"]
    assert {found[name].state for name in wanting(list(found.values()))} == {"missing"}
    assert "detect weights fetch body_pose_model.pth" in found["body weights"].what_to_do


def test_published_weights_are_known_by_their_bytes(place, cache, monkeypatch):
    path = cache / HAND.name
    path.write_bytes(b"as if published")
    known = replace(HAND, size=path.stat().st_size, sha256=sha256_file(path))
    monkeypatch.setattr(files, "HAND", known)
    assert place.rows()["OpenPose hand"].found == "hand_pose_model.pth, genuine by its sha256"
    path.write_bytes(b"as if damaged!!")
    (cache / BODY.name).write_bytes(b"cut")
    found = place.rows()
    assert found["OpenPose hand"].state == "optional"
    assert "damaged, or another file" in found["OpenPose hand"].found
    assert "found 3: truncated" in found["OpenPose body"].found


def test_imagenet_weights_are_named_where_training_would_take_them(place, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "cached_weights", lambda: None)
    assert "ImageNet weights" not in place.rows()
    place.set(train__encoder__pretrained="auto")
    assert place.rows()["ImageNet weights"].state == "optional"
    monkeypatch.setattr(files, "cached_weights", lambda: tmp_path / "model.safetensors")
    assert place.rows()["ImageNet weights"].found == "model.safetensors"
    assert pretrained.REPOSITORY


def test_what_training_starts_from_and_boxes_must_be_there(place):
    place.set(train__start="outputs/earlier", detect__boxes="boxes.csv")
    found = place.rows()
    assert wanting(list(found.values())) == ["boxes", "train.start"]
    (place.folder / "outputs" / "earlier").mkdir(parents=True)
    assert place.rows()["train.start"].state == "broken"


def photographs(folder, count):
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))


def test_a_folder_of_photographs_is_counted_by_split(place):
    photographs(place.folder / "mine", 12)
    place.set(data__source="folder", data__input="mine")
    assert place.rows()["data set"].found in {f"folder, {12 - n} for training, {n} for evaluation" for n in (1, 2, 3)}
    place.set(data__source="auto")
    assert place.rows()["data set"].found.startswith("folder, ")


def test_fewer_photographs_than_a_batch_are_said(place):
    photographs(place.folder / "mine", 12)
    place.set(data__source="folder", data__input="mine", train__batch_size=4, train__held_back=0.0)
    assert place.rows()["batch"].state == "ok"
    place.set(train__batch_size=64)
    found = place.rows()["batch"]
    assert found.state == "missing"
    assert re.fullmatch(r"train.batch_size = 64 of \d+ photographs: there are fewer", found.found)
    assert found.what_to_do == "add photographs, or lower train.batch_size"
    place.set(detect__localize="slim")  # several hands may be found in each
    assert "batch" not in place.rows()


def test_a_large_data_set_is_not_read(place, monkeypatch):
    photographs(place.folder / "mine", 3)
    monkeypatch.setattr(data, "MOST_READ", 2)
    place.set(data__source="folder", data__input="mine")
    assert place.rows()["data set"].found.startswith("folder, 3 image files;")


def test_data_sets_that_are_not_there_say_where_they_are(place):
    place.set(data__source="freihand", data__input="FreiHAND")
    found = place.rows()["data set"]
    assert (found.state, found.found) == ("missing", "FreiHAND: no such file or folder")
    assert "https://lmb.informatik.uni-freiburg.de/projects/freihand/" in found.what_to_do
    assert "ho3d" not in found.what_to_do


def test_broken_data_sets_are_rows(place):
    root = place.folder / "FreiHAND"
    photographs(root, 1)
    place.set(data__source="freihand", data__input="FreiHAND")
    found = place.rows()["data set"]
    assert (found.state, found.found) == ("broken", "FreiHAND: does not look like freihand")
    (root / "training_K.json").write_text(json.dumps([[1]]))
    found = place.rows()["data set"]
    assert found.state == "broken"
    assert "training_K.json" in found.found
    place.set(data__source="folder", data__input="mine", data__folder__intrinsics="K.json")
    photographs(place.folder / "mine", 2)
    assert "K.json: no such file" in place.rows()["data set"].found
