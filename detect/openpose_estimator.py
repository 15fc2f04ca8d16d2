"""The OpenPose hand network as a keypoint estimator: pyramid, network, merged maps, peaks."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.detect.detection import Detection
from s2hand.detect.heatmaps import Merger, make_merger
from s2hand.detect.openpose import HandNetwork, network_from_published
from s2hand.detect.peaks import Peaks, find_peaks
from s2hand.detect.pyramid import Level, level_images, network_input, plan_level
from s2hand.detect.variants import SCALES, THRESHOLDS, Variant
from s2hand.detect.weights import Weights

BATCH_ON_CPU = 1  # keeps the cores busy; more images only take memory
BATCH_ON_GPU = 16
MAP_PIXELS = 1 << 24  # of merged maps at a time, so that large photographs do not fill the memory


class OpenPoseEstimator:
    """Detects with the published weights, at the scales and with the threshold of a published code."""

    def __init__(
        self,
        network: HandNetwork,
        weights_sha256: str,
        device: torch.device,
        scales: Sequence[float] = SCALES,
        variant: Variant = "openpose",
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._scales = tuple(scales)
        self._variant: Variant = variant
        self.name = "openpose"
        self.one_size = True
        self.weights_sha256 = weights_sha256
        self.batch_size = BATCH_ON_CPU if device.type == "cpu" else BATCH_ON_GPU

    @classmethod
    def from_weights(
        cls, weights: Weights, device: torch.device, scales: Sequence[float], variant: Variant
    ) -> "OpenPoseEstimator":
        """Build from a weight file of the kind `openpose-hand`."""
        return cls(network_from_published(weights.tensors), weights.sha256, device, scales, variant)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return what changes the results: scales and variant."""
        return {"scales": list(self._scales), "variant": self._variant}

    def estimate(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Detect one hand in each image; all have one size, [H, W, 3] RGB.

        The peak of a map is a whole pixel; its centre is what is returned, hence + 0.5.
        """
        height, width, _ = images[0].shape
        levels = [plan_level(height, width, scale) for scale in self._scales]
        maps = self.maps(images, levels)
        peaks = self._peaks(maps, levels)
        xy = (peaks.xy + 0.5).reshape(len(images), JOINT_COUNT, 2)
        values = peaks.value.reshape(len(images), JOINT_COUNT)
        return [Detection.from_peaks(*pair) for pair in zip(xy, values, strict=True)]

    @torch.inference_mode()
    def maps(self, images: Sequence[NDArray[np.uint8]], levels: Sequence[Level]) -> list[Tensor]:
        """Run the network at each scale: per scale the joints' maps [B, 21, h_s, w_s]."""
        inputs = (network_input(level_images(images, level), self._device) for level in levels)
        return [self._network(batch)[:, :JOINT_COUNT] for batch in inputs]

    @torch.inference_mode()
    def _peaks(self, maps: Sequence[Tensor], levels: Sequence[Level]) -> Peaks:
        """Merge and search the maps of all images and joints, a bounded number of pixels at a time."""
        merger = make_merger(levels, self._device)
        flat = [scale.flatten(0, 1) for scale in maps]
        height, width = levels[0].image
        step = max(1, MAP_PIXELS // (height * width))
        threshold = THRESHOLDS[self._variant]
        parts = [
            _chunk_peaks(merger, [scale[first : first + step] for scale in flat], threshold)
            for first in range(0, len(flat[0]), step)
        ]
        return Peaks(np.concatenate([part.xy for part in parts]), np.concatenate([part.value for part in parts]))


def _chunk_peaks(merger: Merger, maps: Sequence[Tensor], threshold: float) -> Peaks:
    average, smoothed = merger.average(maps), merger.smooth(maps)
    return find_peaks(average.cpu().numpy(), smoothed.cpu().numpy(), threshold)
