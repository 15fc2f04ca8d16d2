"""The slim network behind the interface of all detectors: photographs in, keypoints and confidences out."""

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, crop_image, from_crop, square_box
from s2hand.detect.detection import Detection
from s2hand.detect.precision import resolve_precision
from s2hand.detect.slim import INPUT_SIZE, NETWORK_NAME, SlimNet, slim_from_tensors, slim_shapes
from s2hand.detect.slim_decode import WINDOW, Calibration, decode
from s2hand.detect.variants import Precision
from s2hand.detect.weights import Weights, WeightsError, check_shapes, read_weights

BATCH_SIZE = 32


class SlimEstimator:
    """Finds the joints of one right hand per image.

    The whole image is looked at, as a square of 128 pixels with grey beside it where the image is not square: the
    hand should fill about half of it or more.
    """

    name = NETWORK_NAME
    batch_size = BATCH_SIZE
    enough = 2 * INPUT_SIZE  # what a reduced JPEG lacks is not seen then

    def __init__(
        self,
        network: SlimNet,
        calibration: Calibration,
        weights_sha256: str,
        device: torch.device,
        precision: Precision = "auto",
    ) -> None:
        self._dtype = resolve_precision(precision, device)
        self._network = network.to(device, self._dtype)
        self._calibration = calibration
        self._device = device
        self.weights_sha256 = weights_sha256

    @classmethod
    def from_weights(cls, weights: Weights, device: torch.device, precision: Precision = "auto") -> "SlimEstimator":
        """Build it from a slim weight file; `WeightsError` if tensors or calibration are not what it needs."""
        _check(weights)
        try:
            calibration = Calibration(**json.loads(weights.metadata["calibration"]))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{weights.path}: metadata `calibration`: expected the map of confidences that `detect fit` writes, "
                f"found none that is valid ({error})"
            ) from error
        return cls(slim_from_tensors(weights.tensors), calibration, weights.sha256, device, precision)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the settings that change results; the precision is the one that `auto` stands for on the device."""
        precision = str(self._dtype).removeprefix("torch.")
        return {"input_size": INPUT_SIZE, "window": WINDOW, "precision": precision}

    def bucket(self, shape: tuple[int, ...]) -> Hashable:
        """Put images of all shapes together."""
        return None

    def estimate(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Detect the hand in each image."""
        if not images:
            return []
        boxes = [square_box(image.shape[1], image.shape[0]) for image in images]
        crops = np.stack([crop_image(image, box, INPUT_SIZE) for image, box in zip(images, boxes, strict=True)])
        places, beliefs = self._look(crops)
        return [self._detection(place, belief, box) for place, belief, box in zip(places, beliefs, boxes, strict=True)]

    def _look(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the network: crops [B, 128, 128, 3] -> places [B, 21, 2] in pixels of the crop, beliefs [B, 21]."""
        pixels = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits = self._network((pixels.float() / 127.5 - 1).to(self._dtype))
            places, belief = decode(logits)
        return places.cpu().numpy() * INPUT_SIZE, belief.cpu().numpy()

    def _detection(self, place: NDArray[np.float32], belief: NDArray[np.float32], box: Box) -> Detection:
        return Detection.from_peaks(from_crop(place, box, INPUT_SIZE), self._calibration(belief))


def read_slim(source: str | Path) -> Weights:
    """Read a slim weight file; `WeightsError` if it is missing, broken or of another network."""
    weights = read_weights(source)
    _check(weights)
    return weights


def _check(weights: Weights) -> None:
    check_shapes(weights.path, "slim network", slim_shapes(), weights.tensors)
