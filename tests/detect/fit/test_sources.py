import dataclasses
import json

import cv2
import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.packs import Sample, write_pack
from s2hand.detect.fit.labelled import Labelled
from s2hand.detect.fit.samples import load_samples
from s2hand.detect.fit.sources import RecordSource, open_source


def quiet(done: int, total: int) -> None:
    pass


class OneRecord:
    name = "one"

    def __init__(self, record) -> None:
        self.record = record

    def records(self, split):
        return [self.record]


def sample(keypoints: np.ndarray) -> Sample:
    image = np.zeros((64, 64, 3), np.uint8)
    return Sample(name="a.jpg", image=image, K=np.eye(3), keypoints=keypoints, mirrored=False, box=Box(0, 0, 64, 64))


def test_crops_and_labels_are_read_once(dots, tmp_path):
    calls = []
    first = load_samples(dots, "training", tmp_path / "cache", lambda done, total: calls.append(done))
    assert calls[-1] == len(first) == 24
    again = load_samples(dots, "training", tmp_path / "cache", lambda done, total: calls.append(-1))
    assert -1 not in calls
    assert np.array_equal(first.images, again.images)
    assert first.labels_sha256 == again.labels_sha256


def test_a_changed_image_is_read_again(dots, tmp_path):
    load_samples(dots, "training", tmp_path / "cache", quiet)
    path = dots._records["training"][5].path
    assert cv2.imwrite(str(path), np.full((128, 128, 3), 9, np.uint8))
    again = load_samples(dots, "training", tmp_path / "cache", quiet)
    assert (again.images[5] == 9).all()


def test_left_hands_are_mirrored(dots, tmp_path):
    record = dots._records["training"][0]
    right, left = (
        load_samples(
            RecordSource(OneRecord(dataclasses.replace(record, hand=hand))), "training", tmp_path / hand, quiet
        )
        for hand in ("right", "left")
    )
    assert np.array_equal(left.images[0], right.images[0][:, ::-1])
    np.testing.assert_allclose(left.points[0, :, 0], 128 - right.points[0, :, 0], rtol=1e-6)
    assert np.array_equal(left.mask(0), right.mask(0)[:, ::-1])


def test_photographs_without_labels_are_refused(dots, tmp_path):
    record = dataclasses.replace(dots._records["training"][0], joints_cam=None)
    with pytest.raises(ValueError, match="has no joints"):
        load_samples(RecordSource(OneRecord(record)), "training", tmp_path, quiet)


def test_unsure_keypoints_of_a_pack_are_unknown(tmp_path):
    keypoints = np.column_stack([np.full((21, 2), 10.0), np.full(21, 0.9)]).astype(np.float32)
    keypoints[3, 2], keypoints[4] = 0.2, (np.nan, np.nan, 0)
    for name in ("train.h5", "eval.h5"):
        write_pack(tmp_path / name, [sample(keypoints)], sources={}, parameters={})
    samples = load_samples(open_source(tmp_path), "training", tmp_path / "cache", quiet)
    assert np.isnan(samples.points[0, [3, 4]]).all()
    np.testing.assert_allclose(samples.points[0, [0, 1, 2, 5]], 20.0)
    assert samples.mask(0) is None


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match="found none of them"):
        open_source(tmp_path)


def write_labels(folder, entries):
    for image in entries:
        path = folder / image
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    (folder / "labels.json").write_text(json.dumps(entries))


def test_labels_beside_photographs(tmp_path):
    uv = [[10.0 + joint, 5.0] for joint in range(21)]
    entries = {f"images/{n}.png": {"hand": "left" if n % 2 else "right", "uv": uv, "source": "x"} for n in range(8)}
    entries["images/0.png"]["uv"] = [None, *uv[1:]]
    write_labels(tmp_path, entries)
    source = open_source(tmp_path)
    found = {}
    for split in ("training", "evaluation"):
        for index, (name, *_) in enumerate(source.photographs(split)):
            found[name] = source.read(split, index)
    assert found.keys() == entries.keys()
    assert source.photographs("evaluation")
    assert np.isnan(found["images/0.png"].points[0]).all()
    np.testing.assert_array_equal(found["images/2.png"].points, uv)
    np.testing.assert_array_equal(found["images/1.png"].points[:, 0], 60 - np.array(uv)[:, 0])
    np.testing.assert_array_equal(found["images/1.png"].image, found["images/2.png"].image[:, ::-1])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"hand": "right"}, "the key uv"),
        ({"uv": [[1, 2]] * 20}, "21 pairs"),
        ({"uv": [[1, "a"]] * 21}, "21 pairs"),
        ({"uv": 3}, "21 pairs"),
        ({"uv": [[1, 2]] * 21, "hand": "both"}, "hand: expected right or left"),
    ],
)
def test_wrong_labels_are_named(tmp_path, entry, message):
    write_labels(tmp_path, {"images/7.png": entry})
    with pytest.raises(ValueError, match=f"labels.json: images/7.png: .*{message}|7.png: {message}"):
        open_source(tmp_path)


def test_labels_of_missing_photographs_are_named(tmp_path):
    write_labels(tmp_path, {"images/7.png": {"uv": [[1, 2]] * 21}})
    (tmp_path / "images/7.png").unlink()
    with pytest.raises(ValueError, match=r"1 of 1 images are missing, the first images/7.png"):
        open_source(tmp_path)


def test_a_split_without_photographs_is_refused(dots, tmp_path):
    dots._records["evaluation"] = []
    with pytest.raises(ValueError, match="dots: has no photographs for evaluation; expected some"):
        load_samples(dots, "evaluation", tmp_path / "cache", quiet)


@pytest.mark.parametrize("content", ["[]", "{}", '"a"'])
def test_labels_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(ValueError, match=r"labels\.json: expected an object with one entry per image, found "):
        open_source(tmp_path)


def test_fewer_samples_are_spread_over_all(dots, tmp_path):
    samples = load_samples(dots, "training", tmp_path / "cache", quiet)
    few = samples.take(3)
    assert [few.points[n].tolist() for n in range(3)] == [samples.points[n].tolist() for n in (0, 12, 23)]
    assert few.mask(0) is not None
    assert samples.take(100) is samples


def test_labels_of_another_number_of_joints_are_refused():
    with pytest.raises(ValueError, match=r"points: expected \(21, 2\), found \(20, 2\)"):
        Labelled(np.zeros((4, 4, 3), np.uint8), np.zeros((20, 2)))
