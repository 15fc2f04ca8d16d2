"""A second opinion: the keypoint network looks into each box that the finder proposes, once as a right and once as a
left hand.

It knows right hands only. Where it sees one it is sure of the joints; of a left hand it is less sure than of its mirror
image; of a face it is sure of nothing. So it tells sides apart, and hands from what merely looks like them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image
from s2hand.datasets.records import HANDS
from s2hand.detect.detector import HandDetector
from s2hand.detect.slim import INPUT_SIZE

MARGIN = 1.45
"""Side of the square around a hand over the longer side of the box of its joints. The slim keypoint network learnt from
crops that this box fills to 0.5 to 0.92; 1 / 1.45 = 0.69 is in the middle."""

_EDGE = 1e-4  # scores are kept this far from 0 and 1


def square_around(box: NDArray[np.floating]) -> Box:  # [4] centre x, y, width, height
    """Return the square to look for the keypoints in."""
    x, y, w, h = (float(value) for value in box)
    side = max(w, h) * MARGIN
    return Box(x - side / 2, y - side / 2, side, side)


def beliefs(
    detector: HandDetector, image: NDArray[np.uint8], boxes: NDArray[np.floating]
) -> NDArray[np.float64]:  # [H, W, 3], [N, 4] -> [N, 2]
    """Return the mean confidence of the joints in each box, as of a right hand and as of a left one."""
    crops = [crop_image(image, square_around(box), INPUT_SIZE) for box in boxes]
    sure = [[float(one.confidence.mean()) for one in detector.detect(crops, hand)] for hand in HANDS]
    return np.array(sure).reshape(2, -1).T


@dataclass(frozen=True)
class Judge:
    """How likely a box is of a hand: a logistic function of the finder's score and the higher of the beliefs."""

    bias: float
    finder: float  # weight of the logit of the score
    keypoints: float  # weight of the belief
    threshold: float  # the likelihood from which a box counts

    def __call__(
        self, scores: NDArray[np.floating], sure: NDArray[np.floating]
    ) -> NDArray[np.float32]:  # [N], [N, 2] -> [N]
        """Return the likelihoods."""
        z = _features(scores, sure) @ np.array([self.bias, self.finder, self.keypoints])
        likelihood: NDArray[np.float32] = (1 / (1 + np.exp(-z))).astype(np.float32)
        return likelihood


def fit_judge(
    scores: NDArray[np.floating],  # [N]
    sure: NDArray[np.floating],  # [N, 2]
    hits: NDArray[np.bool_],  # [N] whether the box is of a hand
    threshold: float = 0.5,
) -> Judge:
    """Fit the logistic function to boxes of which it is known (Newton's method, a little ridge)."""
    x, weights = _features(scores, sure), np.zeros(3)
    for _ in range(20):
        likelihood = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (hits - likelihood) - 1e-2 * weights
        curve = (x * (likelihood * (1 - likelihood))[:, None]).T @ x + 1e-2 * np.eye(3)
        weights = weights + np.clip(np.linalg.solve(curve, slope), -2, 2)
    bias, finder, keypoints = (round(float(value), 4) for value in weights)
    return Judge(bias, finder, keypoints, threshold)


def _features(scores: NDArray[np.floating], sure: NDArray[np.floating]) -> NDArray[np.float64]:  # [N, 3]
    p = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    return np.stack([np.ones(len(p)), np.log(p / (1 - p)), sure.max(1, initial=0)], 1)
