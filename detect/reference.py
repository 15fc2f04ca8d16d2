"""Readable twins of the fast paths: the steps of OpenPose's hand estimation one by one, as published.

Slow, in OpenCV and SciPy, and used by tests and benchmarks only: `heatmaps.Merger` and `peaks.find_peaks`
must agree with these.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from s2hand.detect.heatmaps import SIGMA
from s2hand.detect.openpose import STRIDE
from s2hand.detect.peaks import Peaks
from s2hand.detect.pyramid import PAD, Level

EIGHT_NEIGHBOURS = np.ones((3, 3), np.uint8)


def network_input(image: NDArray[np.uint8], level: Level) -> torch.Tensor:  # [H, W, 3] RGB -> [1, 3, H', W']
    """Resize one image for one scale, pad it, move the channels to the front and scale the values."""
    blue_first = np.ascontiguousarray(image[:, :, ::-1])
    resized = cv2.resize(blue_first, None, fx=level.factor, fy=level.factor, interpolation=cv2.INTER_CUBIC)
    beyond = [(0, padded - size) for padded, size in zip(level.padded, level.resized, strict=True)]
    padded = np.pad(resized, [*beyond, (0, 0)], constant_values=PAD)
    channels_first = np.ascontiguousarray(padded.transpose(2, 0, 1)[None].astype(np.float32) / 256 - 0.5)
    return torch.from_numpy(channels_first)


def merge_maps(
    maps: Sequence[NDArray[np.float32]],  # per scale [N, h_s, w_s]
    levels: Sequence[Level],
) -> NDArray[np.float64]:  # [N, H, W]
    """Enlarge each scale's maps, cut the padding, resize to the image, average."""
    height, width = levels[0].image
    total = np.zeros((len(maps[0]), height, width))
    for maps_s, level in zip(maps, levels, strict=True):
        for target, small in zip(total, maps_s, strict=True):
            large = cv2.resize(small, None, fx=STRIDE, fy=STRIDE, interpolation=cv2.INTER_CUBIC)
            cut = large[: level.resized[0], : level.resized[1]]
            target += cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC) / len(levels)
    return total


def smooth_maps(average: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth each map [N, H, W] with the Gaussian of `heatmaps.SIGMA` pixels."""
    return np.stack([gaussian_filter(one, sigma=SIGMA) for one in average])


def find_peaks(
    average: NDArray[np.float64],  # [N, H, W]
    smoothed: NDArray[np.float64],  # [N, H, W]
    threshold: float,
) -> Peaks:
    """Label the components, keep the one with the largest sum, take its maximum."""
    xy = np.full((len(average), 2), -1, np.int64)
    value = np.zeros(len(average), np.float32)
    for n, (one, smooth) in enumerate(zip(average, smoothed, strict=True)):
        labels, count = label(smooth > threshold, structure=EIGHT_NEIGHBOURS)
        if count == 0:
            continue
        sums = [one[labels == component].sum() for component in range(1, count + 1)]
        kept = np.where(labels == 1 + int(np.argmax(sums)), one, 0.0)
        row, column = np.unravel_index(np.argmax(kept), kept.shape)
        if kept[row, column] > 0:
            xy[n], value[n] = (column, row), kept[row, column]
    return Peaks(torch.from_numpy(xy), torch.from_numpy(value))
