import dataclasses

import cv2
import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.packs import Sample, write_pack
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
    with pytest.raises(ValueError, match="found neither"):
        open_source(tmp_path)
