"""The OpenPose hand network as a keypoint estimator: pyramid, network, merged maps, peaks."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from s2hand.datasets.skeleton import JOINT_COUNT
from s2hand.detect.detection import Detection
from s2hand.detect.device_pyramid import device_inputs
from s2hand.detect.heatmaps import make_merger
from s2hand.detect.openpose import STAGES, HandNetwork, network_from_published
from s2hand.detect.peaks import Peaks, find_peaks
from s2hand.detect.precision import resolve_precision
from s2hand.detect.pyramid import Plan, network_inputs, plan_levels, runs
from s2hand.detect.variants import SCALES, THRESHOLDS, Precision, Variant
from s2hand.detect.weights import Weights

BATCH_ON_CPU = 1  # keeps a core busy; more images only take memory
BATCH_ON_GPU = 16
MAP_PIXELS = 1 << 24  # of merged maps at a time, so that large photographs do not fill the memory
COMPILED_SHAPES = 256  # of the network's input; beyond, PyTorch goes on without compiling


class OpenPoseEstimator:
    """Detects with the published weights, at the scales and with the threshold of a published code."""

    def __init__(
        self,
        network: HandNetwork,
        weights_sha256: str,
        device: torch.device,
        scales: Sequence[float] = SCALES,
        variant: Variant = "openpose",
        precision: Precision = "auto",
        compiled: bool = False,
    ) -> None:
        self._dtype = resolve_precision(precision, device)
        network = in_precision(network, self._dtype).to(device).to(memory_format=torch.channels_last)
        self._network = compiled_network(network) if compiled else network
        self._compiled = compiled
        self._device = device
        self._scales = tuple(scales)
        self._variant: Variant = variant
        self.name = "openpose"
        self.enough = None  # the published steps resize the whole photograph
        self.weights_sha256 = weights_sha256
        self.batch_size = BATCH_ON_CPU if device.type == "cpu" else BATCH_ON_GPU

    @classmethod
    def from_weights(
        cls,
        weights: Weights,
        device: torch.device,
        scales: Sequence[float],
        variant: Variant,
        precision: Precision = "auto",
        compiled: bool = False,
    ) -> "OpenPoseEstimator":
        """Build from a weight file of the kind `openpose-hand`."""
        network = network_from_published(weights.tensors)
        return cls(network, weights.sha256, device, scales, variant, precision, compiled)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return what changes the results; the precision is the one that `auto` stands for on the device."""
        return {
            "scales": list(self._scales),
            "variant": self._variant,
            "precision": str(self._dtype).removeprefix("torch."),
            "compile": self._compiled,
        }

    def bucket(self, shape: tuple[int, ...]) -> Hashable:
        """Return the sizes of the network's inputs: images that agree in them share a batch, as all squares do."""
        return tuple(level.padded for level in plan_levels(shape[0], shape[1], self._scales))

    @torch.inference_mode()
    def estimate(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        """Detect one hand in each image, [H, W, 3] RGB, all of one bucket.

        The peak of a map is a whole pixel; its centre is what is returned, hence + 0.5.
        """
        plans = [plan_levels(image.shape[0], image.shape[1], self._scales) for image in images]
        maps = [self.maps(batch) for batch in self.inputs(images, plans)]
        peaks = Peaks.join([self._peaks([scale[part] for scale in maps], plan) for part, plan in runs(plans)])
        xy = (peaks.xy.cpu().numpy() + 0.5).reshape(len(images), JOINT_COUNT, 2)
        values = peaks.value.cpu().numpy().reshape(len(images), JOINT_COUNT)
        return [Detection.from_peaks(*pair) for pair in zip(xy, values, strict=True)]

    def inputs(self, images: Sequence[NDArray[np.uint8]], plans: Sequence[Plan]) -> Iterator[Tensor]:
        """Yield the network's input at each scale: [B, 3, 8 h_s, 8 w_s]."""
        make = network_inputs if self._device.type == "cpu" else device_inputs
        return make(images, plans, self._device, self._dtype)

    @torch.inference_mode()
    def maps(self, batch: Tensor) -> Tensor:  # [B, 3, 8 h, 8 w] -> [B, 21, h, w] float32
        """Run the network, and keep the joints' maps."""
        count = len(batch)
        if self._compiled:  # few sizes of batches: each is compiled anew
            batch = F.pad(batch, (0, 0, 0, 0, 0, 0, 0, (1 << (count - 1).bit_length()) - count))
            batch = batch.contiguous(memory_format=torch.channels_last)
        maps: Tensor = self._network(batch)
        return maps[:count, :JOINT_COUNT]

    def _peaks(self, maps: Sequence[Tensor], plan: Plan) -> Peaks:
        """Merge and search the maps of images of one size, a bounded number of pixels at a time."""
        merger = make_merger(plan, self._device)
        flat = [scale.flatten(0, 1) for scale in maps]
        height, width = plan[0].image
        step = max(1, MAP_PIXELS // (height * width))
        threshold = THRESHOLDS[self._variant]
        parts = []
        for first in range(0, len(flat[0]), step):
            some = [scale[first : first + step] for scale in flat]
            parts.append(find_peaks(merger.average(some), merger.smooth(some), threshold))
        return Peaks.join(parts)


class _LastLayer(nn.Module):
    """A layer in float32 after others of less precision."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer.float()

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.layer(x.float())
        return maps


def in_precision(network: HandNetwork, dtype: torch.dtype) -> HandNetwork:
    """Let the network compute in a type; its last layer stays float32, so that the maps are not rounded to 8 bits."""
    network.to(dtype)
    last = network.get_submodule(f"model{STAGES}")
    assert isinstance(last, nn.Sequential)
    last[-1] = _LastLayer(last[-1])
    return network


def compiled_network(network: HandNetwork) -> Callable[[Tensor], Tensor]:
    """Compile the network for each shape of its input, when that first comes.

    Without CUDA graphs: they are bound to one thread, and the network's kernels are so long that launching them
    costs nothing.
    """
    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.config.recompile_limit = max(limit, COMPILED_SHAPES)
    compiled: Callable[[Tensor], Tensor] = torch.compile(network, dynamic=False)
    return compiled
