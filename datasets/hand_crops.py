"""One hand cut out of a photograph, as networks see it: a square crop in which the hand is a right one.

What reconstructs must see what training saw: both come here. K and keypoints follow the pixels, and a crop knows the
way back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2hand.datasets import cameras
from s2hand.datasets.cameras import Box, Floats
from s2hand.datasets.records import Hand
from s2hand.datasets.skeleton import JOINT_COUNT


@dataclass(frozen=True, eq=False, kw_only=True)
class HandCrop:
    """A square crop, of a left hand mirrored."""

    image: NDArray[np.uint8]  # [S, S, 3] RGB
    K: NDArray[np.float64]  # [3, 3] of the crop, mirrored as it is
    keypoints: NDArray[np.float32]  # [21, 3] x, y in the crop's pixels, confidence; NaN where it is 0
    mirrored: bool
    box: Box  # of the photograph

    def photograph_px(self, xy: ArrayLike) -> Floats:  # [..., 2] -> [..., 2]
        """Map pixels of the crop to those of the photograph."""
        size = self.image.shape[0]
        upright = cameras.mirror_points_px(xy, size) if self.mirrored else np.asarray(xy)
        return cameras.from_crop(upright, self.box, size)

    def photograph_cam(self, points_cam: ArrayLike) -> Floats:  # [..., 3] -> [..., 3]
        """Map points before the crop's camera to those before the photograph's."""
        return cameras.mirror_points_cam(points_cam) if self.mirrored else np.asarray(points_cam)


def cut_hand(
    image: NDArray[np.uint8],  # [H, W, 3] RGB, the whole photograph
    K: NDArray[np.float64],  # [3, 3] of the photograph
    box: Box,
    hand: Hand,
    size: int,  # pixels of a side of the crop
    keypoints: NDArray[np.float32] | None = None,  # [21, 3] x, y in the photograph's pixels, confidence
) -> HandCrop:
    """Cut `box` out of a photograph; a left hand's crop is mirrored. Without keypoints none has any confidence."""
    crop = cameras.crop_image(image, box, size)
    crop_K = cameras.crop_intrinsics(K, box, size)
    seen = np.full((JOINT_COUNT, 3), (np.nan, np.nan, 0), np.float32)
    if keypoints is not None:
        seen[:, :2] = cameras.to_crop(keypoints[:, :2], box, size)
        seen[:, 2] = keypoints[:, 2]
    if hand == "left":
        crop = cameras.mirror_image(crop)
        crop_K = cameras.mirror_intrinsics(crop_K, size)
        seen[:, :2] = cameras.mirror_points_px(seen[:, :2], size)
    return HandCrop(image=crop, K=crop_K, keypoints=seen, mirrored=hand == "left", box=box)
