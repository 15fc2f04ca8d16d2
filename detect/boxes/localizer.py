"""Find the hands of people in photographs with the small network that comes with the package: `--localize slim`.

A photograph is looked at twice, as a square of 192 and of 384 pixels with grey beside it where it is not square: the
first finds hands from a tenth of its longer side up to all of it, the second those down to about a twentieth. Each look
is taken from the picture and from its mirror image, and both answers count: a mirrored photograph gives mirrored boxes
and the other hands. The work is the same for every photograph, whatever its size.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, crop_image, from_crop, square_box
from s2hand.datasets.records import Hand
from s2hand.detect.boxes.decode import Found, join, merge, peaks
from s2hand.detect.boxes.network import BoxesNet, boxes_net_from_tensors, boxes_shapes
from s2hand.detect.weights import KINDS, SLIM, Kind, Weights, WeightsError, check_shapes, read_weights

LOOKS = (192, 384)
"""Sides of the squares that the photograph is looked at in, pixels; the first is what training showed."""

MARGIN = 1.45
"""Side of the square around a hand over the longer side of the box of its joints. The slim keypoint network learnt from
crops that this box fills to 0.5 to 0.92; 1 / 1.45 = 0.69 is in the middle."""

MOST = 20
"""Hands in a photograph, at most."""

_LARGEST = 0.6 * LOOKS[0]  # pixels: larger hands are the first look's, the others see parts of them
_LEAST_SHARE = 0.5  # of the threshold: from here on a peak may be the other side of a hand that is found
_KINDS: tuple[Kind] = ("slim-boxes",)
_SIDES: tuple[Hand, Hand] = ("right", "left")


class SlimLocalizer:
    """Finds hands of both sides, the surest first."""

    name = SLIM

    def __init__(self, network: BoxesNet, threshold: float, weights_sha256: str, device: torch.device) -> None:
        self._network = network.to(device)
        self._threshold = threshold
        self._device = device
        self.weights_sha256 = weights_sha256

    @classmethod
    def load(cls, source: str | Path = SLIM, device: torch.device | str = "cpu") -> "SlimLocalizer":
        """Load it from the packaged weights (`slim`) or a file that `detect fit-boxes` wrote; `WeightsError` if not."""
        weights = read_boxes_weights(source)
        try:
            threshold = float(json.loads(weights.metadata["threshold"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{weights.path}: metadata `threshold`: expected the score that `detect fit-boxes` writes, found none "
                f"that is valid ({error})"
            ) from error
        return cls(boxes_net_from_tensors(weights.tensors), threshold, weights.sha256, torch.device(device))

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the settings that change results."""
        return {"looks": list(LOOKS), "margin": MARGIN, "threshold": self._threshold, "most": MOST}

    def locate(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, upright
        names: Sequence[str],
    ) -> list[tuple[HandBox, ...]]:
        """Find the hands of each image: squares around them, by falling score, then from the top down."""
        del names
        return [self._hand_boxes(self.find(image)) for image in images]

    def find(self, image: NDArray[np.uint8]) -> Found:  # [H, W, 3] RGB
        """Return the boxes of the hands' joints, in pixels of the image."""
        height, width = image.shape[:2]
        square = square_box(width, height)
        looks = LOOKS if max(width, height) > LOOKS[0] else LOOKS[:1]
        parts = [self._look(image, square, size) for size in looks]
        found = join(parts)
        inside = (found.boxes[:, :2] > 0) & (found.boxes[:, :2] < (width, height))
        merged = merge(found.take(inside[:, 0] & inside[:, 1]))
        return merged.take(merged.scores >= self._threshold).first(MOST)

    def _look(self, image: NDArray[np.uint8], square: Box, size: int) -> Found:
        """Find hands in the image at one size; boxes in pixels of the image."""
        picture = crop_image(image, square, size)
        both = np.stack([picture, picture[:, ::-1]])
        pixels = torch.from_numpy(both).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            maps = self._network(pixels)
            found = peaks(even_out(maps[0], maps[1]), self._threshold * _LEAST_SHARE, 2 * MOST)
        if size != LOOKS[0]:
            found = found.take(found.boxes[:, 2:].max(1, initial=0) <= _LARGEST)
        centres = from_crop(found.boxes[:, :2], square, size)
        boxes = np.concatenate([centres, found.boxes[:, 2:] * (square.w / size)], 1).astype(np.float32)
        return Found(boxes, found.sides, found.scores)

    def _hand_boxes(self, found: Found) -> tuple[HandBox, ...]:
        return tuple(
            HandBox(square_around(box), _SIDES[side]) for box, side in zip(found.boxes, found.sides, strict=True)
        )


def even_out(maps: Tensor, mirrored: Tensor) -> Tensor:  # both [2, 5, H, W]
    """Return the mean of the maps of a picture and those of its mirror image, mirrored back with sides exchanged."""
    back = mirrored.flip(0, -1).clone()
    back[:, 1] *= -1  # the distance of a centre along x
    return (maps + back) / 2


def square_around(box: NDArray[np.floating]) -> Box:  # [4] centre x, y, width, height
    """Return the square to look for the keypoints in."""
    x, y, w, h = (float(value) for value in box)
    side = max(w, h) * MARGIN
    return Box(x - side / 2, y - side / 2, side, side)


def read_boxes_weights(source: str | Path) -> Weights:
    """Read a weight file of the finder; `WeightsError` if it is missing, broken or of another network."""
    packaged = files("s2hand.detect") / "assets" / "slim_boxes.safetensors"
    weights = read_weights(Path(str(packaged)) if str(source) == SLIM else source, _KINDS)
    check_shapes(weights.path, KINDS["slim-boxes"], boxes_shapes(), weights.tensors)
    return weights
