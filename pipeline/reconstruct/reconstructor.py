"""`Reconstructor`: photographs in memory to hands in 3D, in three lines.

from s2hand.pipeline import Reconstructor
(hands,) = Reconstructor.load("outputs/model").reconstruct([image])     # uint8 RGB [H, W, 3]
hands[0].save("hand.glb")
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, intrinsics_from_fov
from s2hand.datasets.crop_boxes import Around, crop_square
from s2hand.datasets.hand_crops import HandCrop, cut_hand
from s2hand.datasets.shards import Source
from s2hand.detect.crops import cut_square, hand_square
from s2hand.detect.detector import find_device, image_problem
from s2hand.detect.hands import HandFinder
from s2hand.detect.job import Job, open_job
from s2hand.detect.prefetch import Loaded
from s2hand.detect.settings import DetectSettings
from s2hand.pipeline.reconstruct.reconstruction import Reconstruction
from s2hand.train.checkpoint import find_checkpoint, read_checkpoint
from s2hand.train.model import HandNetwork, Hands
from s2hand.train.predict import load_network
from s2hand.train.refine import refine
from s2hand.train.refine_settings import RefineSettings
from s2hand.train.rotations import matrix_to_axis_angle

FIELD_OF_VIEW = 50.0
"""Degrees across a photograph's longer side, assumed where its camera is not known."""

Found = tuple[HandBox, NDArray[np.float32] | None]  # where a hand is, and its keypoints [21, 3] if they were looked for


@dataclass(frozen=True, eq=False)
class Reconstructor:
    """A trained network and what surrounds it: finding the hands, cutting them out, bringing the answer back.

    Examples:
        >>> from pathlib import Path
        >>> from s2hand.datasets.images import read_image
        >>> from s2hand.pipeline import Reconstructor
        >>> reconstructor = Reconstructor.load("outputs/model")
        >>> (hands,) = reconstructor.reconstruct([read_image(Path("photographs/one.jpg"))])
        >>> hands[0].hand, hands[0].vertices_cam.shape  # metres, before the photograph's camera
        ('right', (778, 3))
        >>> hands[0].save("hand.glb")
    """

    network: HandNetwork
    size: int  # pixels of a side of the crops that the network sees
    around: Around  # what they are cut around, as those of the training were
    crop_scale: float  # their side over the longer side of that
    device: torch.device
    detect: DetectSettings = field(default_factory=DetectSettings)
    batch_size: int = 64
    refine: RefineSettings | None = None

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        hand: str = "open",
        device: str = "auto",
        *,
        detect: DetectSettings | None = None,
        batch_size: int = 64,
        refine: RefineSettings | None = None,
    ) -> "Reconstructor":
        """Load a trained network.

        Args:
            checkpoint: the folder that training wrote, or a file of weights in it.
            hand: the hand model it was trained with, as `load_hand_model` takes it.
            device: `cpu`, `cuda`, `cuda:N`, or `auto` for the GPU if there is one.
            detect: how hands and keypoints are found; by default each image is one right hand.
            batch_size: hands at a time.
            refine: fit each hand to its keypoints afterwards, see `s2hand.train.refine`; None: don't.

        Raises:
            ValueError: a checkpoint that is none, or of another hand model, or a device that is not there.
        """
        chosen = find_device(device)
        folder, name = find_checkpoint(Path(checkpoint))
        network, size = load_network(folder, hand, "cpu", name)
        network.to(chosen)
        samples = read_checkpoint(folder, name).identity.samples
        around, scale = samples.get("crop", "square"), float(samples.get("crop_scale", 1.0))
        settings = (detect or DetectSettings()).model_copy(update={"device": device})
        return cls(network, size, around, scale, chosen, settings, batch_size, refine)

    def reconstruct(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, upright
        K: NDArray[np.floating] | Sequence[NDArray[np.floating]] | None = None,  # [3, 3], of all or one each
        hands: Sequence[Sequence[HandBox]] | None = None,
        fov_degrees: float = FIELD_OF_VIEW,
    ) -> list[list[Reconstruction]]:
        """Reconstruct the hands of each image, in order.

        Args:
            K: the cameras; None: `fov_degrees` across the longer side are assumed.
            hands: where the hands of each image are, and which; None: they are found as `detect` says, with their
                keypoints.
            fov_degrees: assumed where `K` is not given.

        Raises:
            ValueError: an image that is none, or another number of cameras or hands than of images.
        """
        for index, image in enumerate(images):
            problem = image_problem(image)
            if problem:
                raise ValueError(f"images[{index}]: {problem}")
        cameras = _cameras(images, K, fov_degrees)
        found = self._find(images) if hands is None else self._given(images, hands)
        crops, places = [], []
        for index, (image, camera, there) in enumerate(zip(images, cameras, found, strict=True)):
            for one, keypoints in there:
                crops.append(self.cut(image, camera, one, keypoints, None if hands is None else one.box))
                places.append(index)
        answers: list[list[Reconstruction]] = [[] for _ in images]
        for index, answer in zip(places, self.from_crops(crops, [cameras[index] for index in places]), strict=True):
            answers[index].append(answer)
        return answers

    def cut(
        self,
        image: NDArray[np.uint8],  # [H, W, 3] RGB, the photograph
        K: NDArray[np.float64],  # [3, 3] of the photograph
        seen: HandBox,  # the square that was looked at
        keypoints: NDArray[np.float32] | None,  # [21, 3] x, y, confidence
        known: Box | None = None,  # where the hand is, if not only the detections say so
    ) -> HandCrop:
        """Cut a hand out of its photograph, as those that the network learnt from."""
        box = crop_square(seen.box, keypoints, self.around, self.crop_scale, known)
        return cut_hand(image, K, box, seen.hand, self.size, keypoints)

    def from_crops(self, crops: Sequence[HandCrop], cameras: Sequence[NDArray[np.float64]]) -> list[Reconstruction]:
        """Reconstruct crops that `cut` made, of photographs with K [3, 3] each."""
        answers: list[Reconstruction] = []
        for start in range(0, len(crops), self.batch_size):
            part = slice(start, start + self.batch_size)
            answers += self._batch(crops[part], cameras[part])
        return answers

    @torch.inference_mode()
    def _batch(self, crops: Sequence[HandCrop], cameras: Sequence[NDArray[np.float64]]) -> list[Reconstruction]:
        images = images_to(np.stack([crop.image for crop in crops]), self.device)
        K = torch.from_numpy(np.stack([crop.K for crop in crops])).to(self.device, torch.float32)
        hands: Hands = self.network(images, K)
        if self.refine is not None:
            keypoints = torch.from_numpy(np.stack([crop.keypoints for crop in crops])).to(self.device)
            hands = refine(self.network, hands, images, K, keypoints, self.refine)
        faces = self.network.hand.faces.cpu().numpy()
        return list(_reconstructions(hands, crops, cameras, faces))

    @cached_property
    def _finder(self) -> HandFinder:
        return open_job(Job(Path(), Path(), self.detect)).engine.finder

    def _find(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Found]]:
        """Find the hands and keypoints of each image."""
        group = [
            Loaded(Source(str(index), image.nbytes, ""), image, width=image.shape[1], height=image.shape[0])
            for index, image in enumerate(images)
        ]
        result = self._finder.find(group)
        if result.failures:
            raise ValueError(f"images[{result.failures[0].image}]: {result.failures[0].reason}")
        found: list[list[Found]] = [[] for _ in images]
        for row in result.rows:
            found[int(row.image)].append((HandBox(row.box, row.hand), row.keypoints))
        return found

    def _given(self, images: Sequence[NDArray[np.uint8]], hands: Sequence[Sequence[HandBox]]) -> list[list[Found]]:
        """Take the hands that are given; their keypoints are looked for where a refinement needs them."""
        if len(hands) != len(images):
            raise ValueError(f"hands: expected the boxes of each of {len(images)} images, found {len(hands)}")
        return [[self._look(image, one) for one in there] for image, there in zip(images, hands, strict=True)]

    def _look(self, image: NDArray[np.uint8], one: HandBox) -> Found:
        square = hand_square(one.box, self.detect.box_scale)
        crop = cut_square(image, square)
        if self.refine is None:
            return HandBox(square, one.hand), None
        (seen,) = self._finder.detector.detect([crop], one.hand)
        xy = seen.xy + np.array([square.x, square.y])
        return HandBox(square, one.hand), np.concatenate([xy, seen.confidence[:, None]], axis=1).astype(np.float32)


def images_to(images: NDArray[np.uint8], device: torch.device) -> Tensor:  # [B, S, S, 3] -> [B, 3, S, S] in [0, 1]
    """Bring crops to the device, channels last in memory, as the network computes."""
    return torch.from_numpy(images).to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255


def _reconstructions(
    hands: Hands,
    crops: Sequence[HandCrop],
    cameras: Sequence[NDArray[np.float64]],
    faces: NDArray[np.int64],
) -> Iterator[Reconstruction]:
    """Take a batch apart, left hands mirrored back."""
    flipped = np.ascontiguousarray(faces[:, ::-1])
    code, texture = hands.code, hands.texture
    columns = {
        "pose": code.pose,
        "shape": code.shape,
        "rotation": matrix_to_axis_angle(code.rotation),
        "rotation_matrix": code.rotation,
        "translation": code.translation,
        "colors": texture.colors,
        "lights": texture.lights,
    }
    # Copies, so that a hand that is kept does not keep its batch.
    arrays = {name: tensor.float().cpu().numpy() for name, tensor in columns.items()}
    scale, joints, vertices, pixels = (
        tensor.float().cpu().numpy() for tensor in (code.scale, hands.joints_cam, hands.vertices_cam, hands.joints_px)
    )
    for row, (crop, K) in enumerate(zip(crops, cameras, strict=True)):
        seen = crop.keypoints.copy()
        seen[:, :2] = crop.photograph_px(crop.keypoints[:, :2])
        yield Reconstruction(
            hand="left" if crop.mirrored else "right",
            box=crop.box,
            K=K,
            keypoints=seen,
            scale=float(scale[row, 0]),
            joints_cam=crop.photograph_cam(joints[row]).astype(np.float32),
            joints_px=crop.photograph_px(pixels[row]).astype(np.float32),
            vertices_cam=crop.photograph_cam(vertices[row]).astype(np.float32),
            faces=flipped if crop.mirrored else faces,
            **{name: array[row].copy() for name, array in arrays.items()},
        )


def _cameras(
    images: Sequence[NDArray[np.uint8]],
    K: NDArray[np.floating] | Sequence[NDArray[np.floating]] | None,
    fov_degrees: float,
) -> list[NDArray[np.float64]]:
    if K is None:
        return [intrinsics_from_fov(image.shape[1], image.shape[0], fov_degrees) for image in images]
    cameras = np.asarray(K, np.float64)
    if not images:
        return []
    if cameras.shape not in ((3, 3), (len(images), 3, 3)):
        raise ValueError(f"K: expected one [3, 3], or one for each of {len(images)} images, found {cameras.shape}")
    return list(np.broadcast_to(cameras, (len(images), 3, 3)))
