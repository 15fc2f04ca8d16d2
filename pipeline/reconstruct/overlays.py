"""A photograph with its reconstructed hands: their joints on the left, their meshes on the right."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.drawing import Image, draw_hand
from s2hand.datasets.files import replacing
from s2hand.pipeline.reconstruct.reconstruction import Reconstruction
from s2hand.train.render.image import render_mesh

LONGEST, SHORTEST = 1024, 384  # pixels of the longer side of each half
GAP = 4
QUALITY = 92  # of the JPEG
_WHOLE_HAND = 200  # pixels of a hand for which lines are as bold as for one that fills the picture
_THINNEST = 0.4
_SUPERSAMPLING = 2


def draw_overlay(photograph: Image, hands: Sequence[Reconstruction]) -> Image:
    """Draw the hands of a photograph [H, W, 3] on two copies of it, side by side."""
    scaled, ratio = fit(photograph, SHORTEST, LONGEST)
    joints, meshes = scaled.copy(), scaled.copy()
    # The nearest last: it hides the others.
    for hand in sorted(hands, key=lambda one: -float(one.vertices_cam[:, 2].mean())):
        draw_joints(joints, hand.joints_px * ratio)
        draw_mesh(meshes, hand, ratio)
    gap = np.full((len(scaled), GAP, 3), 255, np.uint8)
    return np.concatenate([joints, gap, meshes], axis=1)


def write_jpeg(path: Path, image: Image) -> None:
    """Write a picture, in place when it is whole."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"{path}: a picture of {image.shape[1]} x {image.shape[0]} pixels can't be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


def fit(image: Image, shortest: int, longest: int) -> tuple[Image, NDArray[np.float32]]:
    """Scale an image so that its longer side lies between two lengths; return it and its scale in x and y [2]."""
    height, width = image.shape[:2]
    scale = min(max(shortest / max(height, width), 1.0), longest / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, size, interpolation=kind).astype(np.uint8, copy=False)
    return resized, np.array([size[0] / width, size[1] / height], np.float32)


def draw_joints(image: Image, joints_px: NDArray[np.float32]) -> None:
    """Draw joints [21, 2], in the image's pixels, with lines as bold as the hand's size allows."""
    keypoints = np.concatenate([joints_px, np.ones((len(joints_px), 1), np.float32)], axis=1)
    draw_hand(image, keypoints, line_unit(keypoints, image))


def line_unit(keypoints: NDArray[np.float32], image: Image) -> float:
    """Return the unit for `draw_hand`: that of the image, but less for a small hand."""
    there = keypoints[np.isfinite(keypoints[:, 0]), :2]
    extent = float(np.ptp(there, axis=0).max()) if len(there) else 0.0
    return max(_THINNEST, min(float(max(image.shape[:2])) / 256, extent / _WHOLE_HAND * 1.5))


def draw_mesh(image: Image, hand: Reconstruction, ratio: NDArray[np.float32]) -> None:
    """Render a hand, with its colours and light, over an image that is its photograph times `ratio` [2]."""
    K = np.diag([*ratio, 1.0]) @ hand.K
    region = _region(hand.vertices_cam, K, image.shape)
    if region is None:
        return
    top, bottom, left, right = region
    K[0, 2] -= left
    K[1, 2] -= top
    patch = image[top:bottom, left:right]
    image[top:bottom, left:right] = render_hand(hand, hand.vertices_cam, K, patch)


def render_hand(
    hand: Reconstruction,
    vertices_cam: NDArray[np.float32],  # [778, 3]
    K: NDArray[np.float64],  # [3, 3] of the background
    background: Image,
) -> Image:
    """Render the mesh of a hand, its vertices at any place, before a background [h, w, 3]."""
    with torch.no_grad():
        behind = torch.from_numpy(np.ascontiguousarray(background)).permute(2, 0, 1)[None].float() / 255
        colors, lights = torch.from_numpy(hand.colors)[None], torch.from_numpy(hand.photograph_lights)[None]
        faces = torch.from_numpy(hand.faces)
        mesh, camera = torch.from_numpy(vertices_cam)[None], torch.from_numpy(K.astype(np.float32))[None]
        size = (background.shape[0], background.shape[1])
        rendered = render_mesh(mesh, faces, colors, camera, lights, size, behind, _SUPERSAMPLING).rgb[0]
        picture: Image = (rendered.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return picture


def _region(
    vertices_cam: NDArray[np.float32], K: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left, right of the pixels that a mesh may cover; None where it covers none."""
    before = vertices_cam[vertices_cam[:, 2] > 0.01].astype(float)
    if not len(before):
        return None
    xy = (before @ K.T)[:, :2] / before[:, 2:]
    limit = (shape[1], shape[0])
    left, top = np.clip(np.floor(xy.min(axis=0)) - 1, 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(xy.max(axis=0)) + 1, 0, limit).astype(int).tolist()
    return (top, bottom, left, right) if left < right and top < bottom else None
