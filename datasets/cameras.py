"""Pinhole cameras, crops and mirrors: what happens to a photograph happens to its points and its K alike.

Pixels are continuous: the image's top-left corner is (0, 0), the centre of its first pixel (0.5, 0.5). A
camera has x right, y down, z forward, and K = [[fx, s, cx], [0, fy, cy], [0, 0, 1]].

    project(points, crop_intrinsics(K, box, size))                == to_crop(project(points, K), box, size)
    project(mirror_points_cam(points), mirror_intrinsics(K, w))   == mirror_points_px(project(points, K), w)
"""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]

OUTSIDE = 128
"""Grey level of the part of a crop that lies outside the photograph: the middle, as in OpenPose."""


@dataclass(frozen=True)
class Box:
    """A rectangle in an image, in continuous pixels: corner (x, y), sides w and h. It may reach outside."""

    x: float
    y: float
    w: float
    h: float

    def __post_init__(self) -> None:
        values = (self.x, self.y, self.w, self.h)
        if not all(math.isfinite(value) for value in values) or self.w <= 0 or self.h <= 0:
            raise ValueError(f"Box: expected finite x, y and positive w, h, found {values}")

    def as_array(self) -> NDArray[np.float32]:  # [4]
        """Return x, y, w, h as float32, the way that shards and packs store a box."""
        return np.array([self.x, self.y, self.w, self.h], np.float32)


def square_box(width: float, height: float) -> Box:
    """Return the smallest centred square around a whole image of `width` x `height` pixels."""
    side = max(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


def project(points_cam: ArrayLike, K: ArrayLike) -> Floats:  # [..., 3] metres, [..., 3, 3] -> [..., 2] pixels
    """Project camera points: u = (K p)_x / (K p)_z, v = (K p)_y / (K p)_z.

    One K serves all points, or one per set: points [B, N, 3] with K [B, 3, 3].
    """
    points, camera = np.asarray(points_cam), np.asarray(K)
    homogeneous = points @ np.swapaxes(camera, -1, -2)
    image: Floats = homogeneous[..., :2] / homogeneous[..., 2:]
    return image


def intrinsics_from_fov(width: float, height: float, fov_degrees: float) -> NDArray[np.float64]:  # [3, 3]
    """Return K of a camera with square pixels, its axis through the image's centre.

    `fov_degrees` is the angle across the image's longer side.
    """
    if not 0 < fov_degrees < 180:
        raise ValueError(f"fov_degrees: expected an angle between 0 and 180, found {fov_degrees}")
    focal = max(width, height) / 2 / math.tan(math.radians(fov_degrees) / 2)
    return intrinsics_from_focal_length(width, height, focal)


def intrinsics_from_focal_length(width: float, height: float, focal: float) -> NDArray[np.float64]:  # [3, 3]
    """Return K of a camera with square pixels and a focal length in pixels, its axis through the image's centre."""
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def intrinsics_problem(K: NDArray[np.float64]) -> str | None:  # [3, 3]
    """Say why a finite matrix is no K of a pinhole camera; None if it is one."""
    if min(K[0, 0], K[1, 1]) > 0 and K[1, 0] == 0 and K[2].tolist() == [0, 0, 1]:
        return None
    return f"expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]] with positive fx and fy, found {K.tolist()}"


def to_crop(xy: ArrayLike, box: Box, size: int) -> Floats:  # [..., 2]
    """Map image pixels to the pixels of the `size` x `size` crop of `box`."""
    mapped: Floats = (np.asarray(xy) - (box.x, box.y)) * (size / box.w, size / box.h)
    return mapped


def from_crop(xy: ArrayLike, box: Box, size: int) -> Floats:  # [..., 2]
    """Map crop pixels back to image pixels: the inverse of `to_crop`."""
    mapped: Floats = np.asarray(xy) * (box.w / size, box.h / size) + (box.x, box.y)
    return mapped


def crop_intrinsics(K: ArrayLike, box: Box, size: int) -> NDArray[np.float64]:  # [..., 3, 3]
    """Return K of the `size` x `size` crop of `box`."""
    across, down = size / box.w, size / box.h
    image_to_crop = np.array([[across, 0, -box.x * across], [0, down, -box.y * down], [0, 0, 1]])
    cropped: NDArray[np.float64] = image_to_crop @ np.asarray(K, np.float64)
    return cropped


def crop_image(image: NDArray[np.uint8], box: Box, size: int) -> NDArray[np.uint8]:  # [H, W, C] -> [size, size, C]
    """Resample `box` of an image to `size` x `size` pixels; what lies outside the image is grey (`OUTSIDE`).

    Enlarging interpolates linearly. Shrinking averages: the box is first sampled, linearly, at a whole
    multiple of `size` that is at least as fine as the image, then reduced by the mean. Both keep pixel
    centres where `to_crop` puts them, for any fractional box. (cv2.warpAffine alone counts pixels from their
    centres and does not average.)
    """
    fine_x, fine_y = (max(1, math.ceil(side / size - 1e-9)) for side in (box.w, box.h))
    width, height = size * fine_x, size * fine_y
    step_x, step_y = box.w / width, box.h / height
    # Centre i + 0.5 of the sampled picture lies at box.x + (i + 0.5) * step; cv2 counts it 0.5 less.
    matrix = np.array([[step_x, 0, box.x + step_x / 2 - 0.5], [0, step_y, box.y + step_y / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled: Any = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside_x = _inside(box.x, step_x, width, image.shape[1])
    inside_y = _inside(box.y, step_y, height, image.shape[0])
    sampled[:, : inside_x.start] = sampled[:, inside_x.stop :] = OUTSIDE
    sampled[: inside_y.start] = sampled[inside_y.stop :] = OUTSIDE
    if (fine_x, fine_y) != (1, 1):
        sampled = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
    crop: NDArray[np.uint8] = sampled
    return crop


def _inside(start: float, step: float, count: int, limit: int) -> slice:
    # The samples whose centres start + (i + 0.5) * step lie in [0, limit).
    first = math.ceil(-start / step - 0.5)
    last = math.ceil((limit - start) / step - 0.5)
    return slice(min(max(first, 0), count), min(max(last, 0), count))


def mirror_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:  # [H, W, ...]
    """Swap an image's left and right."""
    return np.ascontiguousarray(image[:, ::-1])


def mirror_points_px(xy: ArrayLike, width: float) -> Floats:  # [..., 2]
    """Move pixel positions along with `mirror_image` of an image `width` pixels wide."""
    mirrored: Floats = np.array(xy, dtype=np.result_type(np.asarray(xy), np.float32))
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def mirror_points_cam(points_cam: ArrayLike) -> Floats:  # [..., 3]
    """Mirror camera points at the plane x = 0: a left hand becomes a right one."""
    mirrored: Floats = np.asarray(points_cam) * np.array([-1, 1, 1], np.float32)
    return mirrored


def flip_axes(points: ArrayLike) -> Floats:  # [..., 3]
    """Turn points in our camera axes into OpenGL's (x right, y up, z backward), or the other way round."""
    flipped: Floats = np.asarray(points) * np.array([1, -1, -1], np.float32)
    return flipped


def mirror_intrinsics(K: ArrayLike, width: float) -> NDArray[np.float64]:  # [..., 3, 3]
    """Return K of the mirrored image, which is `width` pixels wide."""
    mirrored = np.array(K, np.float64)
    mirrored[..., 0, 1] *= -1
    mirrored[..., 0, 2] = width - mirrored[..., 0, 2]
    return mirrored
