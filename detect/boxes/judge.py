"""A second opinion: the keypoint network looks into each box that the finder proposes, once as a right and once as a
left hand.

It knows right hands only. Where it sees one it is sure of the joints; of a left hand it is less sure than of its mirror
image; of a face it is sure of nothing, and its joints lie elsewhere than in the box. So it tells sides apart, and hands
from what merely looks like them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image, from_crop
from s2hand.datasets.records import HANDS, Hand
from s2hand.detect.boxes.decode import overlaps
from s2hand.detect.detector import HandDetector
from s2hand.detect.slim import INPUT_SIZE

MARGIN = 1.45
"""Side of the square around a hand over the longer side of the box of its joints. The slim keypoint network learnt from
crops that this box fills to 0.5 to 0.92; 1 / 1.45 = 0.69 is in the middle."""

LEAST_SCORE = 0.1
"""Boxes with lower scores of the finder are never looked at."""

_LIKELY = 0.5  # the likelihood from which a box counts
_EDGE = 1e-4  # scores are kept this far from 0 and 1


def square_around(box: NDArray[np.floating]) -> Box:  # [4] centre x, y, width, height
    """Return the square to look for the keypoints in."""
    x, y, w, h = (float(value) for value in box)
    side = max(w, h) * MARGIN
    return Box(x - side / 2, y - side / 2, side, side)


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the keypoint network says of N boxes."""

    sure: NDArray[np.float64]  # [N, 2] mean confidence of the joints, as of a right hand and as of a left one
    agreement: NDArray[np.float64]  # [N] overlap (IoU) of the box with that of the joints of the likelier side

    def __len__(self) -> int:
        return len(self.sure)

    @property
    def hands(self) -> list[Hand]:
        """Return the likelier side of each."""
        return [HANDS[int(left > right)] for right, left in self.sure]


def ask(detector: HandDetector, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> Opinion:  # [H, W, 3], [N, 4]
    """Look for keypoints in each box, as of both hands."""
    squares = [square_around(box) for box in boxes]
    crops = [crop_image(image, square, INPUT_SIZE) for square in squares]
    found = [detector.detect(crops, hand) for hand in HANDS]
    sure = np.array([[float(one.confidence.mean()) for one in of_hand] for of_hand in found]).reshape(2, -1).T
    agreement = np.zeros(len(boxes))
    for index, (box, square) in enumerate(zip(boxes, squares, strict=True)):
        xy = from_crop(found[int(sure[index].argmax())][index].xy, square, INPUT_SIZE)
        xy = xy[np.isfinite(xy).all(1)]
        if len(xy) > 1:
            low, high = xy.min(0), xy.max(0)
            agreement[index] = overlaps(np.concatenate([(low + high) / 2, high - low])[None], box[None])[0, 0]
    return Opinion(sure, agreement)


@dataclass(frozen=True)
class Judge:
    """How likely a box is of a hand: a logistic function of the finder's score and the keypoint network's opinion."""

    bias: float
    finder: float  # weight of the logit of the score
    sure: float  # weight of the higher confidence
    agreement: float
    threshold: float  # the likelihood from which a box counts

    def __call__(self, scores: NDArray[np.floating], opinion: Opinion) -> NDArray[np.float32]:  # [N] -> [N]
        """Return the likelihoods."""
        z = _features(scores, opinion) @ np.array([self.bias, self.finder, self.sure, self.agreement])
        likelihood: NDArray[np.float32] = (1 / (1 + np.exp(-z))).astype(np.float32)
        return likelihood

    @property
    def least_score(self) -> float:
        """Return the finder's score below which a box does not count, whatever the opinion."""
        if self.finder <= 0:
            return LEAST_SCORE
        best = self.bias + max(self.sure, 0.0) + max(self.agreement, 0.0)
        needed = np.log(self.threshold / (1 - self.threshold)) - best
        return max(LEAST_SCORE, float(1 / (1 + np.exp(-needed / self.finder))))


def fit_judge(
    scores: NDArray[np.floating],  # [N]
    opinion: Opinion,
    hits: NDArray[np.bool_],  # [N] whether the box is of a hand
) -> Judge:
    """Fit the logistic function to boxes of which it is known (Newton's method, a little ridge)."""
    x = _features(scores, opinion)
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        likelihood = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (hits - likelihood) - 1e-2 * weights
        curve = (x * (likelihood * (1 - likelihood))[:, None]).T @ x + 1e-2 * np.eye(len(weights))
        weights = weights + np.clip(np.linalg.solve(curve, slope), -2, 2)
    bias, finder, sure, agreement = (round(float(value), 4) for value in weights)
    return Judge(bias, finder, sure, agreement, _LIKELY)


def _features(scores: NDArray[np.floating], opinion: Opinion) -> NDArray[np.float64]:  # [N, 4]
    p = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    return np.stack([np.ones(len(p)), np.log(p / (1 - p)), opinion.sure.max(1, initial=0), opinion.agreement], 1)
