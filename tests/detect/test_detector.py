"""`HandDetector`: batches, left hands, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from s2hand.detect import HandDetector
from s2hand.detect.detection import Detection
from s2hand.detect.detector import find_device, image_problem

SCALES = (0.1, 0.15)  # of 368 pixels: as quick as may be


@pytest.fixture(scope="module")
def openpose(openpose_file):
    return HandDetector.load(openpose_file, scales=SCALES, variant="s2hand", precision="float32")


def test_answers_are_in_the_order_of_the_images(bright_spot, images):
    detector = HandDetector(bright_spot(one_size=True))
    for image, hand in zip(images, detector.detect(images), strict=True):
        x, y = (hand.xy[10] - 0.5).astype(int)
        assert image[y, x, 10 % 3] == image[:, :, 10 % 3].max()


def test_batches_hold_one_size_where_need_be(bright_spot, images):
    strict, free = bright_spot(one_size=True), bright_spot(one_size=False)
    HandDetector(strict).detect(images * 2)
    assert strict.batches == [[(40, 48, 3)] * 2] * 2 + [[(56, 40, 3)] * 2]
    HandDetector(free, batch_size=4).detect(images * 2)
    assert [len(batch) for batch in free.batches] == [4, 2]


def test_no_images_no_answers(bright_spot):
    assert HandDetector(bright_spot()).detect([]) == []


def test_confidences_are_clipped_and_missing_joints_are_nan(bright_spot, images):
    hand = HandDetector(bright_spot()).detect(images[:1])[0]
    assert (hand.confidence.min(), hand.confidence.max()) == (0, 1)
    np.testing.assert_array_equal(np.isnan(hand.xy).all(axis=1), hand.confidence == 0)


def test_left_hands_are_mirrored_there_and_back(bright_spot, images):
    detector = HandDetector(bright_spot())
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    for image, left, right in zip(images, detector.detect(images, "left"), detector.detect(mirrored), strict=True):
        np.testing.assert_array_equal(left.xy[:, 0], image.shape[1] - right.xy[:, 0])
        np.testing.assert_array_equal(left.xy[:, 1], right.xy[:, 1])
        np.testing.assert_array_equal(left.confidence, right.confidence)
        assert left.xy.dtype == np.float32


@pytest.fixture(params=["openpose_file", "slim_file"])
def any_network(request):
    path = request.getfixturevalue(request.param)
    return HandDetector.load(path, scales=SCALES, variant="s2hand", precision="float32")


def test_networks_commute_with_mirroring(any_network, images):
    for hand, other in (("left", "right"), ("right", "left")):
        straight = any_network.detect(images, hand)
        mirrored = any_network.detect([image[:, ::-1] for image in images], other)
        for image, one, two in zip(images, straight, mirrored, strict=True):
            np.testing.assert_allclose(one.xy[:, 0], image.shape[1] - two.xy[:, 0], atol=1e-4)
            np.testing.assert_array_equal(one.confidence, two.confidence)


def test_openpose_peaks_are_centres_of_pixels_inside_the_image(openpose, images):
    for image, hand in zip(images, openpose.detect(images), strict=True):
        found = hand.xy[hand.confidence > 0]
        assert len(found) > 0
        np.testing.assert_array_equal(found % 1, 0.5)
        assert (found < (image.shape[1], image.shape[0])).all()


def test_openpose_batches_hold_what_the_network_sees_alike(openpose, texture, monkeypatch):
    squares = [texture(seed, side, side) for seed, side in enumerate([40, 57, 40, 33])]
    assert len({openpose.estimator.bucket(image.shape) for image in squares}) == 1
    assert openpose.estimator.bucket((40, 48, 3)) != openpose.estimator.bucket((40, 40, 3))
    alone = [openpose.detect([image])[0] for image in squares]
    batches = []
    estimate = openpose.estimator.estimate
    monkeypatch.setattr(openpose.estimator, "estimate", lambda images: batches.append(len(images)) or estimate(images))
    together = HandDetector(openpose.estimator, batch_size=8).detect(squares)
    assert batches == [4]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-5)
        np.testing.assert_array_equal(one.xy, other.xy)


def test_threads_may_share_a_detector(any_network, texture):
    images = [texture(seed, 30 + seed % 3, 40) for seed in range(12)]
    with ThreadPoolExecutor(3, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        alone = pool.submit(lambda: [any_network.detect([image])[0] for image in images]).result()
        together = list(pool.map(lambda image: any_network.detect([image])[0], images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.confidence, other.confidence)


def test_openpose_batches_change_nothing(openpose, images):
    together = openpose.detect([*images, images[0]])
    for image, hand in zip([*images, images[0]], together, strict=True):
        alone = openpose.detect([image])[0]
        np.testing.assert_allclose(hand.confidence, alone.confidence, atol=1e-5)
        np.testing.assert_array_equal(hand.xy, alone.xy)


def test_large_photographs_are_searched_in_parts(openpose, images, monkeypatch):
    whole = openpose.detect(images[:1])[0]
    monkeypatch.setattr("s2hand.detect.openpose_estimator.MAP_PIXELS", 5 * 40 * 48)
    np.testing.assert_array_equal(openpose.detect(images[:1])[0].xy, whole.xy)


def test_the_variant_is_its_threshold(openpose_file, openpose, images):
    strict = HandDetector.load(openpose_file, scales=SCALES, variant="openpose", precision="float32")
    assert strict.parameters == {
        "scales": list(SCALES),
        "variant": "openpose",
        "precision": "float32",
        "compile": False,
    }
    assert openpose.parameters["variant"] == "s2hand"
    assert (strict.detect(images)[0].confidence > 0).sum() <= (openpose.detect(images)[0].confidence > 0).sum()


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((4, 4), np.uint8), r"expected an RGB image, uint8 \[H, W, 3\], found uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "found float32"),
        (np.zeros((0, 4, 3), np.uint8), "4 x 0 pixels"),
        (
            np.zeros((20, 321, 3), np.uint8),
            "321 x 20 pixels: expected a picture with sides of at most 16 : 1",
        ),
    ],
)
def test_what_is_no_picture_is_refused(bright_spot, image, problem):
    with pytest.raises(ValueError, match=rf"images\[1\]: .*{problem}"):
        HandDetector(bright_spot()).detect([np.zeros((8, 8, 3), np.uint8), image])
    assert image_problem(np.zeros((20, 320, 3), np.uint8)) is None


def test_an_unknown_hand_is_refused(bright_spot):
    with pytest.raises(ValueError, match="hand: expected right or left, found 'both'"):
        HandDetector(bright_spot()).detect([], "both")


@pytest.mark.parametrize("name", ["tpu-7", "meta", "cuda:99"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(ValueError, match="device: "):
        find_device(name)
    assert find_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize(
    ("xy", "confidence", "message"),
    [
        (np.zeros((20, 2)), np.ones(20), "expected xy"),
        (np.zeros((21, 2)), np.full(21, 1.5), "values in"),
        (np.zeros((21, 2)), np.zeros(21), "NaN coordinates exactly where"),
        (np.full((21, 2), np.nan), np.ones(21), "NaN coordinates exactly where"),
    ],
)
def test_detections_check_themselves(xy, confidence, message):
    with pytest.raises(ValueError, match=message):
        Detection(xy.astype(np.float32), confidence.astype(np.float32))
