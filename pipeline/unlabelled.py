"""What can be said of reconstructed hands without the truth, besides their agreement with the detections in 2D."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.datasets.skeleton import WRIST
from s2hand.pipeline.plausibility import plausibility
from s2hand.pipeline.silhouettes import Mask, before_wrist, hand_region, overlap
from s2hand.train.encoder import POSE
from s2hand.train.mano import HandModel
from s2hand.train.predict import Predictions
from s2hand.train.render import render
from s2hand.train.texture import FIRST_LIGHT

_BATCH = 64  # hands rendered at a time


def measure_unlabelled(pack: Pack, predicted: Predictions, hand: HandModel) -> dict[str, dict[str, float]]:
    """Measure the hands of a pack: metrics by who is measured.

    For the network: `plausibility`'s; `silhouette_iou`, the mean overlap of its silhouettes with the hands' outlines
    in the pixels; `silhouettes`, of how many hands that could be told; and, where the data set gives the wrist,
    `wrist_cm`, its mean error. For the constant hand: `silhouette_iou` of one silhouette for all, the pixels that the
    network covers in at least half of them.
    """
    annotations = pack.annotations(range(len(pack)))
    network = plausibility(hand, predicted.codes[:, :POSE], predicted.joints_cam)
    if annotations.wrist_cam is not None:
        distances = np.linalg.norm(predicted.joints_cam[:, WRIST] - annotations.wrist_cam, axis=1)
        network["wrist_cm"] = 100.0 * float(distances.mean())
    overlaps = _overlaps(pack, draw_silhouettes(hand, predicted.vertices_cam, annotations.K, pack.size))
    told = np.isfinite(overlaps).all(axis=1)
    if not told.any():
        return {"network": network}
    ours, fixed = overlaps[told].mean(axis=0).tolist()
    network |= {"silhouette_iou": ours, "silhouettes": float(told.sum())}
    return {"network": network, "constant": {"silhouette_iou": fixed}}


def draw_silhouettes(
    hand: HandModel,
    vertices_cam: NDArray[np.floating[Any]],  # [N, 778, 3]
    K: NDArray[np.floating[Any]],  # [N, 3, 3]
    size: int,
) -> Iterator[Mask]:  # [64 or fewer, size, size]
    """Yield the pixels that each hand covers by at least a half, some hands at a time."""
    device = hand.faces.device
    for start in range(0, len(K), _BATCH):
        part = slice(start, start + _BATCH)
        vertices = torch.as_tensor(vertices_cam[part], dtype=torch.float32, device=device)
        cameras = torch.as_tensor(K[part], dtype=torch.float32, device=device)
        lights = vertices.new_tensor(FIRST_LIGHT).expand(len(vertices), -1)
        with torch.inference_mode():
            colors = torch.ones_like(vertices)
            picture = render(vertices, hand.faces, colors, cameras, lights, image_size=(size, size))
        yield (picture.silhouette >= 0.5).cpu().numpy()


def _overlaps(pack: Pack, silhouettes: Iterable[Mask]) -> NDArray[np.float64]:  # [N, 2]
    """Return how the silhouettes, and the constant one, overlap the hands in the pixels; NaN where nobody can tell.

    The silhouettes wait as bits for the constant one, which needs them all; crops are read some at a time: at 224
    pixels 20,000 hands would take 3 GB as crops and 1 GB as bytes.
    """
    bits, covered = [], np.zeros((pack.size, pack.size), np.int64)
    for masks in silhouettes:
        bits.append(np.packbits(masks, axis=2))
        covered += masks.sum(axis=0)
    constant = 2 * covered >= len(pack)
    overlaps, start = [], 0
    for packed in bits:
        masks = np.unpackbits(packed, axis=2, count=pack.size).astype(bool)
        rows = pack.rows(range(start, start + len(masks)))
        start += len(masks)
        for image, keypoints, mask in zip(rows.images, rows.keypoints, masks, strict=True):
            overlaps.append(_overlap(image, keypoints, mask, constant))
    return np.array(overlaps)


def _overlap(image: NDArray[np.uint8], keypoints: NDArray[np.float32], *masks: Mask) -> tuple[float, ...]:
    """Return how each mask overlaps the hand in the pixels of a crop; NaN where that can't be told."""
    region = hand_region(image, keypoints)
    if region is None:
        return (float("nan"),) * len(masks)
    where = before_wrist(keypoints, image.shape[0])
    return tuple(overlap(mask, region, where) for mask in masks)
