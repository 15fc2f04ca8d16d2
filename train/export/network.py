"""The 3D network as what leaves the project: two tensors in, ten named tensors out, any batch size."""

from types import MappingProxyType

import torch
from torch import Tensor, nn

from s2hand.train.model import HandNetwork, Hands

INPUTS = MappingProxyType(
    {
        "images": "[B, 3, S, S] crops of right hands (mirror left ones), RGB in [0, 1]",
        "K": "[B, 3, 3] the crops' intrinsics, pixels; the centre of the first pixel is (0.5, 0.5)",
    }
)
OUTPUTS = MappingProxyType(
    {
        "pose": "[B, 30] theta, coefficients of the hand model's pose components",
        "shape": "[B, 10] beta",
        "scale": "[B, 1] s",
        "rotation": "[B, 3, 3] R, about the wrist joint",
        "translation": "[B, 3] T, metres",
        "joints_cam": "[B, 21, 3] metres, camera: x right, y down, z forward",
        "vertices_cam": "[B, 778, 3] metres, camera",
        "joints_px": "[B, 21, 2] pixels of the crop",
        "colors": "[B, 778, 3] RGB of the vertices in (0, 1), unlit",
        "lights": "[B, 11] ambient and directional intensity, their colours, the direction in which the light travels",
    }
)
"""What comes out, in this order."""

_LEAST_FOCAL, _MOST_FOCAL = 1.0, 4.0  # in units of the crop's side: 53 to 14 degrees
_OFF_CENTRE = 0.1


class FlatNetwork(nn.Module):
    """A `HandNetwork` that returns the tensors of `OUTPUTS`."""

    def __init__(self, network: HandNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, K: Tensor) -> tuple[Tensor, ...]:
        """Reconstruct hands from the tensors of `INPUTS`."""
        hands: Hands = self.network(images, K)
        code, texture = hands.code, hands.texture
        geometry = (code.pose, code.shape, code.scale, code.rotation, code.translation)
        return (*geometry, hands.joints_cam, hands.vertices_cam, hands.joints_px, texture.colors, texture.lights)


def draw_crops(batch: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random pixels and cameras: images [batch, 3, size, size], K [batch, 3, 3]."""
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(batch, 3, size, size, generator=random)
    numbers = torch.rand(batch, 3, generator=random)
    focal = size * (_LEAST_FOCAL + (_MOST_FOCAL - _LEAST_FOCAL) * numbers[:, 0])
    centre = size * (0.5 + _OFF_CENTRE * (2 * numbers[:, 1:] - 1))
    K = torch.eye(3).repeat(batch, 1, 1)
    K[:, 0, 0], K[:, 1, 1], K[:, :2, 2] = focal, focal, centre
    return images, K
