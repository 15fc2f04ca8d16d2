"""Find the hands of people in photographs with the small network that comes with the package: `--localize slim`.

A photograph is looked at up to three times, made 96, 192 and 384 pixels large: the first look finds hands that fill the
picture, the last those of down to a twentieth of its longer side. Each look is taken from the picture and from its
mirror image, and both answers count: a mirrored photograph gives mirrored boxes and the other hands. What is found is
then judged by the keypoint network (`judge`): which side it is, and whether it is a hand at all. No photograph, of
whatever size, takes more work than these looks and twenty boxes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, crop_image, from_crop, square_box
from s2hand.datasets.records import Hand
from s2hand.detect.boxes.decode import Found, join, merge, peaks, ranking
from s2hand.detect.boxes.judge import MARGIN, Judge, ask, square_around
from s2hand.detect.boxes.network import BoxesNet, boxes_net_from_tensors, boxes_shapes
from s2hand.detect.detector import HandDetector
from s2hand.detect.hub import SLIM_BOXES
from s2hand.detect.weights import KINDS, SLIM, Kind, Weights, WeightsError, check_shapes, read_weights

LOOKS = (96, 192, 384)
"""Pixels of the photograph's longer side when it is looked at."""

FRAME = 16
"""Grey pixels around it, so that a hand at the border lies like any other."""

SIZES = (14, 130)
"""Longer sides of the hands that a look is there for, pixels; smaller ones are the next look's, larger ones the one's
before, if there is one. Training showed 19 to 144."""

MAGNIFY = 1.5
"""No look enlarges the photograph by more, but for the first."""

MOST = 20
"""Boxes that are judged, at most: the surest of the finder's."""

_KINDS: tuple[Kind] = ("slim-boxes",)


class SlimLocalizer:
    """Finds hands of both sides, the surest first; where they are told apart, `detector` is the slim one."""

    name = SLIM

    def __init__(
        self, network: BoxesNet, judge: Judge, detector: HandDetector, weights_sha256: str, device: torch.device
    ) -> None:
        self._network = network.to(device)
        self._judge = judge
        self._detector = detector
        self._device = device
        self.weights_sha256 = weights_sha256

    @classmethod
    def load(cls, source: str | Path = SLIM, device: torch.device | str = "cpu") -> "SlimLocalizer":
        """Load it from the packaged weights (`slim`) or a file that `detect fit-boxes` wrote; `WeightsError` if not.

        The packaged slim keypoint network judges what it finds, whatever detects the keypoints later.
        """
        weights = read_boxes_weights(source)
        try:
            judge = Judge(**json.loads(weights.metadata["judge"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{weights.path}: metadata `judge`: expected the numbers that `detect fit-boxes` writes, found none "
                f"that are valid ({error})"
            ) from error
        detector = HandDetector.load(SLIM, str(device))
        return cls(boxes_net_from_tensors(weights.tensors), judge, detector, weights.sha256, torch.device(device))

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the settings that change results."""
        return {
            "looks": list(LOOKS),
            "frame": FRAME,
            "sizes": list(SIZES),
            "magnify": MAGNIFY,
            "most": MOST,
            "margin": MARGIN,
            "judge": asdict(self._judge),
            "judge_sha256": self._detector.estimator.weights_sha256,
        }

    def locate(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, upright
        names: Sequence[str],
    ) -> list[tuple[HandBox, ...]]:
        """Find the hands of each image: squares around them, by falling score, then from the top down."""
        del names
        return [self._locate(image) for image in images]

    def _locate(self, image: NDArray[np.uint8]) -> tuple[HandBox, ...]:
        found, hands = self.find(image)
        return tuple(HandBox(square_around(box), hand) for box, hand in zip(found.boxes, hands, strict=True))

    def find(self, image: NDArray[np.uint8]) -> tuple[Found, tuple[Hand, ...]]:  # [H, W, 3] RGB
        """Return the boxes of the hands' joints in pixels of the image, their likelihoods, and which hands they are."""
        found = self.propose(image)
        opinion = ask(self._detector, image, found.boxes)
        judged = Found(found.boxes, self._judge(found.scores, opinion))
        best = [index for index in ranking(judged) if judged.scores[index] >= self._judge.threshold]
        return judged.take(np.array(best, np.intp)), tuple(opinion.hands[index] for index in best)

    def propose(self, image: NDArray[np.uint8]) -> Found:  # [H, W, 3] RGB
        """Return what the finder alone takes for hands, in pixels of the image, with its own scores."""
        height, width = image.shape[:2]
        looks = [size for size in LOOKS if size == LOOKS[0] or size <= MAGNIFY * max(width, height)]
        found = join([self._look(image, size, _sizes(size, looks)) for size in looks])
        inside = (found.boxes[:, :2] > 0) & (found.boxes[:, :2] < (width, height))
        return merge(found.take(inside[:, 0] & inside[:, 1])).first(MOST)

    def _look(self, image: NDArray[np.uint8], size: int, sizes: tuple[float, float]) -> Found:
        """Find hands of some sizes (pixels of the look) in the image at one size; boxes in pixels of the image."""
        square = _framed(square_box(image.shape[1], image.shape[0]), FRAME / size)
        side = size + 2 * FRAME
        picture = crop_image(image, square, side)
        both = np.stack([picture, picture[:, ::-1]])
        pixels = torch.from_numpy(both).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            maps = self._network(pixels)
            found = peaks(even_out(maps[0], maps[1]), self._judge.least_score, 2 * MOST)
        longer = found.boxes[:, 2:].max(1, initial=0)
        found = found.take((longer >= sizes[0]) & (longer <= sizes[1]))
        centres = from_crop(found.boxes[:, :2], square, side)
        boxes = np.concatenate([centres, found.boxes[:, 2:] * (square.w / side)], 1).astype(np.float32)
        return Found(boxes, found.scores)


def _sizes(look: int, looks: Sequence[int]) -> tuple[float, float]:
    """Return the sizes of the hands that one of several looks is there for."""
    return (0.0 if look == looks[-1] else SIZES[0], np.inf if look == looks[0] else SIZES[1])


def _framed(box: Box, share: float) -> Box:
    """Return a square with a frame around it, as wide as a share of its side."""
    frame = box.w * share
    return Box(box.x - frame, box.y - frame, box.w + 2 * frame, box.h + 2 * frame)


def even_out(maps: Tensor, mirrored: Tensor) -> Tensor:  # both [5, H, W]
    """Return the mean of the maps of a picture and those of its mirror image, mirrored back."""
    back = mirrored.flip(-1).clone()
    back[1] *= -1  # the distance of a centre along x
    return (maps + back) / 2


def read_boxes_weights(source: str | Path) -> Weights:
    """Read a weight file of the finder; `WeightsError` if it is missing, broken or of another network."""
    weights = read_weights(SLIM_BOXES if str(source) == SLIM else source, _KINDS)
    check_shapes(weights.path, KINDS["slim-boxes"], boxes_shapes(), weights.tensors)
    return weights
