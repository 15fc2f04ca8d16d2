import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.cameras import (
    OUTSIDE,
    Box,
    crop_image,
    crop_intrinsics,
    flip_axes,
    from_crop,
    intrinsics_from_fov,
    mirror_image,
    mirror_intrinsics,
    mirror_points_cam,
    mirror_points_px,
    project,
    square_box,
    to_crop,
)

K = np.array([[480.0, 3.0, 111.0], [0, 470.0, 127.0], [0, 0, 1]])
BOXES = [
    Box(0, 0, 224, 224),
    Box(30.25, -17.5, 90.1, 90.1),
    Box(-3.7, 12.2, 400, 150.5),
]


def points(seed: int, *shape: int) -> NDArray[np.float64]:
    """Random points in front of the camera."""
    generator = np.random.default_rng(seed)
    return generator.uniform((-0.1, -0.1, 0.3), (0.1, 0.1, 1.2), (*shape, 3))


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("size", [1, 96, 300])
def test_cropping_commutes_with_projection(box: Box, size: int) -> None:
    scene = points(0, 50)
    cropped = to_crop(project(scene, K), box, size)
    np.testing.assert_allclose(project(scene, crop_intrinsics(K, box, size)), cropped, atol=1e-9)
    np.testing.assert_allclose(from_crop(cropped, box, size), project(scene, K), atol=1e-9)


def test_mirroring_commutes_with_projection() -> None:
    scene = points(1, 50)
    mirrored = project(mirror_points_cam(scene), mirror_intrinsics(K, 224))
    np.testing.assert_allclose(mirrored, mirror_points_px(project(scene, K), 224), atol=1e-9)


def test_mirroring_twice_changes_nothing(picture: NDArray[np.uint8]) -> None:
    scene = points(2, 5)
    np.testing.assert_array_equal(mirror_points_cam(mirror_points_cam(scene)), scene)
    np.testing.assert_array_equal(mirror_intrinsics(mirror_intrinsics(K, 90), 90), K)
    np.testing.assert_array_equal(mirror_image(mirror_image(picture)), picture)


def test_opengls_axes_are_turned_by_half_around_x() -> None:
    """In front of the camera, right of and below its axis: z is negative there, and y as well."""
    assert flip_axes([0.1, 0.2, 0.5]) == pytest.approx([0.1, -0.2, -0.5])
    np.testing.assert_array_equal(flip_axes(flip_axes(points(3, 2, 5))), points(3, 2, 5))


def test_mirrored_points_follow_the_image(picture: NDArray[np.uint8]) -> None:
    """The centre of the first pixel, (0.5, 0.5), becomes that of the last."""
    mirrored = mirror_image(picture)
    x, y = mirror_points_px(np.array([10.5, 20.5]), 90)
    np.testing.assert_array_equal(mirrored[int(y), int(x)], picture[20, 10])
    assert mirrored.flags.c_contiguous


def test_mirrored_points_keep_nan_and_type_and_the_original() -> None:
    xy = np.array([[1, 2], [np.nan, np.nan]], np.float32)
    mirrored = mirror_points_px(xy, 10)
    assert mirrored.dtype == np.float32
    np.testing.assert_array_equal(mirrored, np.array([[9, 2], [np.nan, np.nan]]))
    assert xy[0, 0] == 1


def test_mirroring_and_cropping_commute() -> None:
    box = Box(20, 30, 100, 100)
    mirrored_box = Box(224 - 120, 30, 100, 100)
    crop_first = mirror_intrinsics(crop_intrinsics(K, box, 64), 64)
    mirror_first = crop_intrinsics(mirror_intrinsics(K, 224), mirrored_box, 64)
    np.testing.assert_allclose(crop_first, mirror_first, atol=1e-9)


def test_projection_broadcasts() -> None:
    scene = points(3, 4, 21)
    cameras = np.stack([K, 2 * K, K, K])
    cameras[:, 2, 2] = 1
    together = project(scene, cameras)
    assert together.shape == (4, 21, 2)
    for one, camera, expected in zip(scene, cameras, together, strict=True):
        np.testing.assert_allclose(project(one, camera), expected)
        np.testing.assert_allclose(project(one[3], camera), expected[3])


def test_a_field_of_view_spans_the_longer_side() -> None:
    camera = intrinsics_from_fov(640, 480, 60)
    edge = np.array([np.tan(np.radians(30)), 0, 1])
    np.testing.assert_allclose(project(edge, camera), [640, 240])
    np.testing.assert_allclose(intrinsics_from_fov(480, 640, 60)[0, 0], camera[0, 0])
    with pytest.raises(ValueError, match="fov_degrees"):
        intrinsics_from_fov(640, 480, 180)


@pytest.mark.parametrize("bad", [(0, 0, 0, 1), (0, 0, 1, -1), (np.nan, 0, 1, 1), (0, np.inf, 1, 1)])
def test_boxes_check_themselves(bad: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="Box: expected finite"):
        Box(*bad)


def test_the_square_around_an_image() -> None:
    assert square_box(640, 480) == Box(0, -80, 640, 640)
    assert square_box(30, 40) == Box(-5, 0, 40, 40)
    np.testing.assert_array_equal(square_box(30, 40).as_array(), np.array([-5, 0, 40, 40], np.float32))


def test_a_crop_at_the_images_own_scale_copies_pixels(picture: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(crop_image(picture, Box(7, 11, 32, 32), 32), picture[11:43, 7:39])


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_by_a_whole_factor_is_the_mean(picture: NDArray[np.uint8], factor: int) -> None:
    box = Box(5, 4, 10 * factor, 10 * factor)
    blocks = picture[4 : 4 + 10 * factor, 5 : 5 + 10 * factor].reshape(10, factor, 10, factor, 3)
    assert np.abs(crop_image(picture, box, 10) - blocks.mean(axis=(1, 3))).max() <= 0.51


def test_enlarging_agrees_with_resize(picture: NDArray[np.uint8]) -> None:
    expected = cv2.resize(picture[:60, :60], (171, 171), interpolation=cv2.INTER_LINEAR).astype(int)
    crop = crop_image(np.ascontiguousarray(picture[:60, :60]), Box(0, 0, 60, 60), 171)
    assert np.abs(crop - expected).max() <= 3
    assert abs((crop - expected).mean()) < 0.25


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(10.3, 20.7, 133.3, 133.3), 64),
        (Box(10.3, 20.7, 33.3, 40.1), 64),
        (Box(50.25, 60.5, 111.1, 200.3), 97),
        (Box(100, 100, 7.9, 7.9), 128),
    ],
)
def test_crops_put_each_pixel_where_to_crop_says(box: Box, size: int) -> None:
    """An image of a known smooth function: the crop's pixels hold the function at their own centres."""

    def function(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(128 + 50 * np.sin(xy[..., 0] / 17) + 60 * np.cos(xy[..., 1] / 23))

    def centres(side: int) -> NDArray[np.float64]:
        axis = np.arange(side) + 0.5
        return np.stack(np.meshgrid(axis, axis), axis=-1)

    image = np.repeat(np.rint(function(centres(300)))[..., None], 3, axis=2).astype(np.uint8)
    error = crop_image(image, box, size)[..., 0] - function(np.asarray(from_crop(centres(size), box, size)))
    assert np.abs(error).max() < 1.6
    assert abs(error.mean()) < 0.1


def test_outside_the_image_a_crop_is_grey_up_to_its_edge() -> None:
    white = np.full((20, 20, 3), 255, np.uint8)
    crop = crop_image(white, Box(-10, -20, 40, 40), 80)
    inside = np.zeros((80, 80), bool)
    inside[40:80, 20:60] = True
    assert (crop[inside] == 255).all()
    assert (crop[~inside] == OUTSIDE).all()
    assert (crop_image(white, Box(100, 100, 5, 5), 8) == OUTSIDE).all()


def test_mirrored_crop_is_the_crop_of_the_mirrored_image(picture: NDArray[np.uint8]) -> None:
    crop = mirror_image(crop_image(picture, Box(-4, 3.5, 50, 50), 24))
    other = crop_image(mirror_image(picture), Box(90 - 46, 3.5, 50, 50), 24)
    assert np.abs(crop.astype(int) - other).max() <= 2
