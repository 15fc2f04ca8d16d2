"""Hands through bodies: OpenPose's body network finds the people, and their forearms say where the hands are."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.boxes import HandBox
from s2hand.detect.body.hands import hand_boxes
from s2hand.detect.body.maps import enlarge, find_peaks
from s2hand.detect.body.network import BodyNetwork, network_from_published
from s2hand.detect.body.paf import connect
from s2hand.detect.body.people import People, assemble
from s2hand.detect.body.skeleton import PART_COUNT
from s2hand.detect.pyramid import BOX, Level, level_images, network_input, plan_level
from s2hand.detect.weights import Kind, Weights, read_weights

SCALES = (0.5,)
"""The published sizes of the network's input, in units of 368 pixels of height."""

BODY_ONLY: tuple[Kind, ...] = ("openpose-body",)

LONGEST_INPUT = 4096  # pixels; a panorama is looked at smaller, so that it does not fill the memory
BATCH_PIXELS_ON_CPU = 1  # image by image keeps the cores busy; more only take memory
BATCH_PIXELS_ON_GPU = 16 * 184 * 328

Image = NDArray[np.uint8]


class BodyLocalizer:
    """Finds people and returns the squares of their hands. Threads may share it."""

    name = "body"

    def __init__(
        self, network: BodyNetwork, weights_sha256: str, device: torch.device, scales: Sequence[float] = SCALES
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._scales = tuple(scales)
        self._batch_pixels = BATCH_PIXELS_ON_CPU if device.type == "cpu" else BATCH_PIXELS_ON_GPU
        self.weights_sha256 = weights_sha256

    @classmethod
    def load(cls, source: str | Path, device: torch.device, scales: Sequence[float] = SCALES) -> "BodyLocalizer":
        """Read `openpose-body` or a weight file; `WeightsError` unless it holds the body network's tensors."""
        return cls.from_weights(read_weights(source, BODY_ONLY), device, scales)

    @classmethod
    def from_weights(cls, weights: Weights, device: torch.device, scales: Sequence[float] = SCALES) -> "BodyLocalizer":
        """Build from a weight file of the kind `openpose-body`."""
        return cls(network_from_published(weights.tensors), weights.sha256, device, scales)

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return what changes the results: the scales."""
        return {"scales": list(self._scales)}

    def locate(
        self,
        images: Sequence[Image],  # each [H, W, 3] RGB, upright
        names: Sequence[str],
    ) -> list[tuple[HandBox, ...]]:
        """Find the hands of each image: person by person, left before right."""
        del names
        return [
            hand_boxes(people, image.shape[1], image.shape[0])
            for people, image in zip(self.people(images), images, strict=True)
        ]

    @torch.inference_mode()
    def people(self, images: Sequence[Image]) -> list[People]:
        """Find the people in each image [H, W, 3] RGB."""
        plans = [plan_levels(image.shape[0], image.shape[1], self._scales) for image in images]
        found: dict[int, People] = {}
        for batch in _batches(plans, self._batch_pixels):
            answers = self._answers([images[index] for index in batch], [plans[index] for index in batch])
            for index, (fields, maps) in zip(batch, answers, strict=True):
                peaks = find_peaks(maps, plans[index])
                found[index] = assemble(peaks, connect(peaks, enlarge(fields, plans[index])))
        return [found[index] for index in range(len(images))]

    def _answers(
        self, images: Sequence[Image], plans: Sequence[Sequence[Level]]
    ) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """Run the network on images of one input size: per image its fields and its parts' maps, one of each scale."""
        scales = []
        for levels in zip(*plans, strict=True):
            inputs = [level_images([image], level) for image, level in zip(images, levels, strict=True)]
            scales.append(self._network(network_input(np.concatenate(inputs), self._device)))
        for index in range(len(images)):
            yield [fields[index] for fields, _ in scales], [maps[index, :PART_COUNT] for _, maps in scales]


def plan_levels(height: int, width: int, scales: Sequence[float]) -> tuple[Level, ...]:
    """Plan the network's inputs for one image; very wide ones are made smaller than published."""
    widest = LONGEST_INPUT * height / (BOX * width)
    return tuple(plan_level(height, width, min(scale, widest)) for scale in scales)


def _batches(plans: Sequence[Sequence[Level]], pixels: int) -> Iterator[list[int]]:
    """Put images of one input size together, up to a number of pixels of input; at least one image."""
    by_size: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for index, levels in enumerate(plans):
        by_size[tuple(level.padded for level in levels)].append(index)
    for sizes, indices in by_size.items():
        count = max(1, pixels // max(height * width for height, width in sizes))
        yield from (indices[first : first + count] for first in range(0, len(indices), count))
