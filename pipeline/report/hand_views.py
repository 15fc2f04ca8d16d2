"""What both branches of a trained network make of some hands of a pack, as it is in their photographs.

The network sees left hands mirrored; here they are mirrored back: pictures, pixels and points in space.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.cameras import mirror_image, mirror_points_cam, mirror_points_px
from s2hand.datasets.drawing import Image
from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Pack, Rows
from s2hand.train.checkpoint import KEYPOINTS, CheckpointError, read_checkpoint
from s2hand.train.hourglass import HourglassBranch
from s2hand.train.model import HandNetwork, Hands, render_hands
from s2hand.train.predict import load_network
from s2hand.train.render.shading import Lights, shade, vertex_normals

Floats = NDArray[np.floating[Any]]

SIDE = 224
"""Pixels of a side of all pictures."""
_BATCH = 8
_PAPER = 0.93  # grey behind a hand that is shown alone
_OTHER_MESH = 2.0  # times as long as the hand's own are the edges of a truth that has other faces


@dataclass(frozen=True, eq=False)
class HandView:
    """One hand: pictures [SIDE, SIDE, 3], keypoints [21, 2] in their pixels, points in camera space in metres."""

    crop: Image
    silhouette: Image
    render: Image  # before the crop
    texture: Image  # the mesh alone
    detected: Floats  # NaN where nothing was detected
    pointed: Floats | None  # by the 2D branch
    projected: Floats  # of the 3D hand
    joints_cam: Floats  # [21, 3]
    vertices_cam: Floats  # [778, 3]
    colors: Floats  # [778, 3] RGB in [0, 1], in the photograph's light
    true_joints_cam: Floats | None
    true_vertices_cam: Floats | None  # only where they are of the same mesh


@dataclass(frozen=True, eq=False)
class TrainedBranches:
    """Both branches of a checkpoint; the 2D branch only if the training left one."""

    reconstruction: HandNetwork
    keypoints: HourglassBranch | None
    size: int  # pixels of a side of the crops that they take

    @property
    def faces(self) -> NDArray[np.int64]:  # [F, 3]
        """The faces of the hand model's mesh."""
        return self.reconstruction.hand.faces.numpy()


def load_branches(checkpoint: Path, name: str, hand: str) -> TrainedBranches:
    """Load the weights in the file `name` of a checkpoint's folder, and the 2D branch beside them.

    Raises CheckpointError where they are damaged, or were trained with another hand model than `hand`.
    """
    network, size = load_network(checkpoint, hand, "cpu", name)
    if not (checkpoint / KEYPOINTS).is_file():
        return TrainedBranches(network, None, size)
    saved = read_checkpoint(checkpoint, KEYPOINTS)
    branch = HourglassBranch(saved.identity.settings.hourglass)
    try:
        branch.load_state_dict(saved.weights)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint / KEYPOINTS}: not the weights of this network; train again") from error
    return TrainedBranches(network, branch.eval(), size)


def view_hands(branches: TrainedBranches, pack: Pack, rows: Sequence[int]) -> Iterator[HandView]:
    """Yield what is seen of rows of a pack, a few in memory at a time. Raises DataError for crops of another size."""
    if pack.size != branches.size:
        raise DataError(
            f"{pack.path}: expected crops of {branches.size} pixels, which the network was trained on, "
            f"found {pack.size}; train and evaluate again"
        )
    for start in range(0, len(rows), _BATCH):
        yield from _view(branches, pack.rows(rows[start : start + _BATCH]))


@torch.no_grad()
def _view(branches: TrainedBranches, rows: Rows) -> Iterator[HandView]:
    network, pixel = branches.reconstruction, SIDE / branches.size
    images, K = torch.from_numpy(rows.images).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(rows.K)
    hands: Hands = network(images, K)
    pointed = branches.keypoints(images)[-1].joints.numpy() * pixel if branches.keypoints is not None else None
    pictures = _draw(network, hands, K, images)
    colors = _lit(network, hands).numpy()
    for n, left in enumerate(rows.mirrored):
        turn = (mirror_image, lambda xy: mirror_points_px(xy, SIDE), mirror_points_cam) if left else (_same,) * 3
        image, pixels, space = turn
        vertices = hands.vertices_cam[n].numpy()
        truth = rows.vertices_cam[n] if rows.vertices_cam is not None else None
        yield HandView(
            **{name: image(pictures[name][n]) for name in pictures},
            detected=pixels(rows.keypoints[n, :, :2] * pixel),
            pointed=pixels(pointed[n]) if pointed is not None else None,
            projected=pixels(hands.joints_px[n].numpy() * pixel),
            joints_cam=space(hands.joints_cam[n].numpy()),
            vertices_cam=space(vertices),
            colors=colors[n],
            true_joints_cam=space(rows.joints_cam[n]) if rows.joints_cam is not None else None,
            true_vertices_cam=space(truth)
            if truth is not None and same_mesh(truth, vertices, branches.faces)
            else None,
        )


def same_mesh(truth: Floats, vertices: Floats, faces: NDArray[np.int64]) -> bool:
    """Return whether faces [F, 3] join the true vertices too: those of another hand model give far longer edges."""
    true, own = (
        np.linalg.norm(points[faces[:, 0]] - points[faces[:, 1]], axis=1).mean() for points in (truth, vertices)
    )
    return bool(true < _OTHER_MESH * own)


def _draw(network: HandNetwork, hands: Hands, K: Tensor, images: Tensor) -> Mapping[str, list[Image]]:
    """Draw the pictures of B hands, by their names in `HandView`."""
    finer = K.clone()
    finer[:, :2] *= SIDE / images.shape[-1]
    behind = torch.from_numpy(np.stack([_resize(image) for image in _bytes(images)])).permute(0, 3, 1, 2).float() / 255
    before = render_hands(network.hand, hands, finer, behind)
    alone = render_hands(network.hand, hands, finer, torch.full_like(behind, _PAPER))
    grey = before.silhouette[:, None].expand(-1, 3, -1, -1)
    drawn = {"crop": behind, "silhouette": grey, "render": before.rgb, "texture": alone.rgb}
    return {name: _bytes(tensor) for name, tensor in drawn.items()}


def _lit(network: HandNetwork, hands: Hands) -> Tensor:  # [B, 778, 3]
    """Return the colours of the vertices as the camera sees them."""
    normals = vertex_normals(hands.vertices_cam, network.hand.faces)
    return shade(hands.texture.colors, normals, Lights.from_code(hands.texture.lights)).clamp(0, 1)


def _bytes(images: Tensor) -> list[Image]:  # [B, 3, S, S]
    return list((images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy())


def _resize(image: Image) -> Image:
    kind = cv2.INTER_AREA if len(image) > SIDE else cv2.INTER_CUBIC
    return cv2.resize(image, (SIDE, SIDE), interpolation=kind)  # type: ignore[return-value]


def _same(values: Any) -> Any:
    return values
