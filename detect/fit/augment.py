"""Vary a training crop: place, colours, background, what hides it, and what a camera does to it.

Every function takes an RGB image as uint8 [S, S, 3] and a numpy Generator and returns a new image; the same generator
state gives the same picture. `augment` runs them all and moves the joints along.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import OUTSIDE
from s2hand.detect.fit.samples import Samples
from s2hand.detect.fit.settings import AugmentSettings

Image = NDArray[np.uint8]  # [S, S, 3] RGB
Points = NDArray[np.float32]  # [21, 2] pixels


@dataclass(frozen=True, eq=False)
class Varied:
    """One training example."""

    image: Image
    points: Points


def augment(
    samples: Samples,
    index: int,
    settings: AugmentSettings,
    degradation: float,  # 0 to 1: how much of the frequency of blur, noise and JPEG applies
    rng: np.random.Generator,
) -> Varied:
    """Return a fresh variation of a sample; other samples lend backgrounds and occluders."""
    image: Image = samples.images[index]
    mask = samples.mask(index)
    if mask is not None and rng.random() < settings.background:
        image = replace_background(image, mask, _donor(samples, rng), rng)
    image, points = move(image, samples.points[index], settings, rng)
    if rng.random() < settings.occluder:
        image = hide_part(image, points, _donor(samples, rng), rng)
    image = change_colors(image, settings.color, rng)
    if rng.random() < settings.blur * degradation:
        image = blur(image, rng)
    if rng.random() < settings.noise * degradation:
        image = add_noise(image, rng)
    if rng.random() < settings.jpeg * degradation:
        image = compress(image, rng)
    return Varied(image, points)


def move(image: Image, points: Points, settings: AugmentSettings, rng: np.random.Generator) -> tuple[Image, Points]:
    """Turn, resize and shift image and joints together, so that the hand has the size and place that were drawn."""
    size = image.shape[0]
    turn = placing_matrix(points, size, settings, rng)
    # warpAffine counts pixels from their centres, we from their corners.
    shifted = turn[:, 2] + turn[:, :2] @ (0.5, 0.5) - 0.5
    matrix = np.column_stack([turn[:, :2], shifted])
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    grey = [OUTSIDE] * 3 if rng.random() < 0.5 else rng.integers(0, 256, 3).tolist()
    moved: Any = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=grey
    )
    return moved, (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)


def placing_matrix(
    points: Points, size: int, settings: AugmentSettings, rng: np.random.Generator
) -> NDArray[np.float64]:  # [2, 3]
    """Draw a rotation, the hand's size and its place; return the affine map of continuous pixels."""
    angle = np.radians(rng.normal(0, settings.rotation_degrees))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points @ rotation.T
    low, high = np.nanmin(turned, axis=0), np.nanmax(turned, axis=0)
    side = max(float((high - low).max()), 1.0)
    zoom = min(np.exp(rng.uniform(*np.log(settings.coverage))) * size / side, settings.max_zoom)
    room = np.maximum(size - (high - low) * zoom, 0) / 2 + settings.overhang * size
    # Near the middle more often than at the rim: the mean of two even draws.
    centre = size / 2 + room * rng.uniform(-1, 1, (2, 2)).mean(0)
    return np.column_stack([rotation * zoom, centre - zoom * (low + high) / 2])


def replace_background(image: Image, mask: NDArray[np.uint8], donor: Image, rng: np.random.Generator) -> Image:
    """Put the hand (mask [S, S], 0 or 1) before an enlarged part of another photograph."""
    size = image.shape[0]
    side = int(rng.integers(size // 4, size // 2))
    x, y = rng.integers(0, size - side, 2)
    behind = cv2.resize(donor[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(mask * np.uint8(255), (0, 0), 0.7)[..., None].astype(np.uint16)
    return ((image * soft + behind * (255 - soft)) // 255).astype(np.uint8)


def hide_part(image: Image, points: Points, donor: Image, rng: np.random.Generator) -> Image:
    """Paste a piece of another photograph, an ellipse or a polygon, near one of the joints."""
    size = image.shape[0]
    reach = size * rng.uniform(0.05, 0.18)
    known = points[np.isfinite(points).all(1)]
    middle = known[rng.integers(len(known))] + rng.normal(0, 0.08 * size, 2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 24 if rng.random() < 0.5 else int(rng.integers(3, 7))))
    stretch = np.array([reach, reach * rng.uniform(0.4, 1.6)])
    outline = middle + stretch * np.column_stack([np.cos(angles), np.sin(angles)])
    stencil = np.zeros((size, size), np.uint8)
    cv2.fillPoly(stencil, [outline.round().astype(np.int32)], 1)
    if rng.random() < 0.3:
        donor = np.full_like(image, rng.integers(0, 256, 3))
    return np.where(stencil[..., None] > 0, donor, image)


def change_colors(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Change saturation, then brightness, contrast, gamma and white balance, the last four in one table."""
    keep = 1 + rng.uniform(-1.6, 0.8) * strength * 1.5
    if rng.random() < 0.06:
        keep = 0.0
    to_grey = np.array([0.299, 0.587, 0.114], np.float32)
    image = _image(cv2.transform(image, keep * np.eye(3, dtype=np.float32) + (1 - keep) * to_grey))
    level = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, strength))
    gain = np.exp(rng.normal(0, strength) + rng.normal(0, strength * 0.4, 3))
    table = (level - 0.5) * np.exp(rng.normal(0, strength)) + 0.5
    return _image(cv2.LUT(image, (np.clip(table * gain, 0, 1) * 255).astype(np.uint8)[:, None]))


def blur(image: Image, rng: np.random.Generator) -> Image:
    """Defocus, or take the picture from fewer pixels."""
    size = image.shape[0]
    if rng.random() < 0.6:
        return _image(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)))
    side = round(size * rng.uniform(0.35, 0.8))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return _image(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR))


def add_noise(image: Image, rng: np.random.Generator) -> Image:
    """Add Gaussian noise, sometimes the same to all channels."""
    shape = image.shape if rng.random() < 0.7 else (*image.shape[:2], 1)
    noise = rng.standard_normal(shape, np.float32) * np.float32(rng.uniform(2, 16))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def compress(image: Image, rng: np.random.Generator) -> Image:
    """Save as JPEG of moderate to bad quality and read again."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))])
    return _image(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _image(array: Any) -> Image:
    """Tell the type checker what OpenCV returned."""
    image: Image = array
    return image


def _donor(samples: Samples, rng: np.random.Generator) -> Image:
    image: Image = samples.images[rng.integers(len(samples))]
    return image
