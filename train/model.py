"""The 3D branch: image to codes to a textured hand in camera space to its 21 joints, and its picture, in the image.

Sections 3.1 to 3.3 of the paper: M = s M0 R + T, joints projected by K, the mesh rendered with its colours and light.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2hand.train.encoder import Anchor, Encoded, Encoder, GeometryCode
from s2hand.train.mano import HandModel
from s2hand.train.render.image import RenderedImage, render_mesh
from s2hand.train.settings import EncoderSettings
from s2hand.train.texture import TextureCode

NEAR = 0.01
"""Metres: points nearer to the camera's plane, or behind it, are projected as if they were there."""

_MIDDLE_KNUCKLE = 4  # in MANO's order of the 16 joints


@dataclass(frozen=True)
class Hands:
    """B decoded hands."""

    code: GeometryCode
    texture: TextureCode
    joints_cam: Tensor  # [B, 21, 3] metres, camera
    vertices_cam: Tensor  # [B, 778, 3]
    joints_px: Tensor  # [B, 21, 2] pixels of the crop
    heatmaps: Tensor | None = None  # [B, 21, h, w] where the encoder sees the joints, if it was asked to point


def project(points_cam: Tensor, K: Tensor) -> Tensor:  # [B, N, 3] metres, [B, 3, 3] -> [B, N, 2] pixels
    """Project camera points as `s2hand.datasets.cameras.project` does, finite for every finite input."""
    image = points_cam @ K.transpose(1, 2)
    return image[..., :2] / image[..., 2:].clamp_min(NEAR)


class HandNetwork(nn.Module):
    """Encoder and decoder. The hand model has nothing to train and no part in the state."""

    def __init__(self, settings: EncoderSettings, hand: HandModel) -> None:
        super().__init__()
        joints = hand.rest_joints.float()
        self.encoder = Encoder(settings, Anchor(joints[0], joints[_MIDDLE_KNUCKLE]))
        self.hand = hand

    def forward(self, images: Tensor, K: Tensor) -> Hands:
        """Reconstruct hands from crops: images [B, 3, S, S] RGB in [0, 1], K [B, 3, 3] of the crops."""
        encoded = self.encoder(images, K)
        return self.decode(encoded, K)

    def decode(self, encoded: Encoded, K: Tensor) -> Hands:
        """Hands of codes, seen by cameras K [B, 3, 3]; float32 under autocast too."""
        code = encoded.code
        with torch.autocast(K.device.type, enabled=False):
            mesh = self.hand(code.pose, code.shape)
            wrist = mesh.joints[:, :1]
            turn, scale = code.rotation.transpose(1, 2), code.scale.unsqueeze(2)
            shift = scale * wrist + code.translation.unsqueeze(1)
            vertices_cam = scale * ((mesh.vertices - wrist) @ turn) + shift
            joints_cam = scale * ((mesh.joints - wrist) @ turn) + shift
            pixels = project(joints_cam, K)
            return Hands(code, encoded.texture, joints_cam, vertices_cam, pixels, encoded.heatmaps)


def render_hands(
    hand: HandModel,
    hands: Hands,
    K: Tensor,  # [B, 3, 3]
    background: Tensor,  # [B or 1, 3, S, S]
    supersampling: int = 2,
) -> RenderedImage:
    """Hands of a model with their texture and light, before images; float32 under autocast too."""
    mesh, texture = (hands.vertices_cam, hand.faces), hands.texture
    size = (background.shape[-2], background.shape[-1])
    with torch.autocast(K.device.type, enabled=False):
        return render_mesh(*mesh, texture.colors, K, texture.lights, size, background, supersampling)


MANO_BONE = 0.0282
"""Metres: the length that the authors' code expects of the middle finger's first bone."""


def expected_bone(hand: HandModel) -> float:
    """Length in metres of the middle finger's first bone (joints 9 to 10): the authors' for MANO, else the mean's."""
    return MANO_BONE if hand.is_mano else mean_bone(hand)


def mean_bone(hand: HandModel) -> float:
    """Length in metres of the middle finger's first bone (joints 9 to 10) of the mean shape."""
    joints = hand(torch.zeros(1, 1, device=hand.faces.device)).joints[0].double()
    return float(torch.linalg.vector_norm(joints[10] - joints[9]))
