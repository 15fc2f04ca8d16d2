"""What a refinement makes small: the losses of training, and how far a hand has moved from the network's answer."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train import losses
from s2hand.train.encoder import Encoded, GeometryCode
from s2hand.train.model import HandNetwork, Hands, render_hands
from s2hand.train.refine_settings import RefineSettings
from s2hand.train.rotations import axis_angle_to_matrix
from s2hand.train.texture import TextureCode

Changes = dict[str, Tensor]
"""What is optimised, all 0 at the network's answer: `shift` [B, 3] right and down by tangents of the angle of view and
the logarithm of the distance, `turn` [B, 3] axis-angle in the camera's axes, `pose` [B, 30], `shape` [B, 10],
`colors` [B, 778, 3] logits, `lights` [B, 11]. The scale stays: no picture tells it from the distance."""


def no_changes(start: Hands) -> Changes:
    """The changes that leave hands as they are."""
    zeros = start.code.pose.new_zeros
    count = len(start.code.pose)
    sizes = {"shift": (3,), "turn": (3,), "pose": start.code.pose.shape[1:], "shape": start.code.shape.shape[1:]}
    sizes |= {"colors": start.texture.colors.shape[1:], "lights": start.texture.lights.shape[1:]}
    return {name: zeros(count, *size) for name, size in sizes.items()}


@dataclass(frozen=True)
class Problem:
    """B hands to refine: where they start, and what was seen of them."""

    network: HandNetwork
    start: Hands
    images: Tensor  # [B, 3, S, S] RGB in [0, 1]
    K: Tensor  # [B, 3, 3]
    detected: Tensor  # [B, 21, 2] pixels of a 224 px image; NaN where confidence is 0
    confidence: Tensor  # [B, 21] sharpened
    settings: RefineSettings

    def changed(self, changes: Changes) -> Hands:
        """The hands after changes."""
        code, texture = self.start.code, self.start.texture
        centre = self.start.joints_cam.mean(1)
        along = torch.expm1(changes["shift"][:, 2:]) * centre
        across = torch.nn.functional.pad(changes["shift"][:, :2] * centre[:, 2:], (0, 1))
        moved = GeometryCode(
            code.pose + changes["pose"],
            code.shape + changes["shape"],
            code.scale,
            axis_angle_to_matrix(changes["turn"]) @ code.rotation,
            code.translation + along + across,
        )
        colors = torch.sigmoid(torch.logit(texture.colors, 1e-4) + changes["colors"])
        painted = TextureCode(colors, texture.lights + changes["lights"])
        return self.network.decode(Encoded(moved, painted, self.start.heatmaps), self.K)

    def geometric(self, changes: Changes) -> Tensor:  # [B]
        """Weighted terms of joints, pose, shape and place."""
        return self._weighted(self._geometric(self.changed(changes), changes))

    def photometric(self, changes: Changes) -> Tensor:  # [B]
        """The same, and those of the pixels."""
        hands = self.changed(changes)
        return self._weighted(self._geometric(hands, changes) | self._photometric(hands))

    def _weighted(self, terms: Changes) -> Tensor:
        weights = self.settings.weights
        return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum(0)

    def _geometric(self, hands: Hands, changes: Changes) -> Changes:
        projected = losses.to_reference_pixels(hands.joints_px, self.images.shape[-1])
        angles = self.network.hand.finger_axis_angle(hands.code.pose)
        return {
            "E_loc": losses.E_loc(self.detected, projected, self.confidence).mean(-1),
            "E_ori": losses.E_ori(self.detected, projected, self.confidence).mean(-1),
            "E_J": losses.E_J(angles, self.network.hand).sum(-1).mean(-1),
            "E_beta": losses.E_beta(hands.code.shape),
            "E_theta": losses.E_theta(hands.code.pose),
            "start_pose": changes["pose"].square().mean(-1),
            "start_shape": changes["shape"].square().mean(-1),
            "start_turn": changes["turn"].square().sum(-1),
        }

    def _photometric(self, hands: Hands) -> Changes:
        image = render_hands(self.network.hand, hands, self.K, self.images, self.settings.supersampling)
        seen = (self.images, image.rgb, image.silhouette)
        return {
            "E_pixel": losses.E_pixel(*seen, self.confidence).sum((1, 2)),
            "E_SSIM": losses.E_SSIM(*seen).mean((1, 2, 3)),
            "E_C": losses.E_C(hands.texture.colors).mean((1, 2)),
        }
