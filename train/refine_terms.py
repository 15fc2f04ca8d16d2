"""What a refinement makes small: the losses of training, and how far a hand has gone from the network's answer."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from s2hand.train import losses
from s2hand.train.encoder import Encoded, GeometryCode
from s2hand.train.model import HandNetwork, Hands, render_hands
from s2hand.train.refine_settings import RefineSettings
from s2hand.train.rotations import axis_angle_to_matrix
from s2hand.train.texture import TextureCode

Changes = dict[str, Tensor]
"""What is optimised, all 0 at the network's answer: `shift` [B, 3] to the right and down, as parts of the distance, and
the distance's logarithm; `turn` [B, 3] axis-angle in the camera's axes; `pose` [B, 30]; `shape` [B, 10]; `colors`
[B, 778, 3] logits; `lights` [B, 11]. So all of them are of a similar size."""

_DARKEST = 1e-4  # colours are kept as far from 0 and 1, where logits are infinite


def no_changes(hands: Hands) -> Changes:
    """The changes that leave hands as they are."""
    zeros, code, texture = torch.zeros_like, hands.code, hands.texture
    changes = {"shift": zeros(code.translation), "turn": zeros(code.translation)}
    changes |= {"pose": zeros(code.pose), "shape": zeros(code.shape)}
    return changes | {"colors": zeros(texture.colors), "lights": zeros(texture.lights)}


@dataclass(frozen=True)
class Problem:
    """B hands to refine: where they start, and what was seen of them."""

    network: HandNetwork
    start: Hands
    images: Tensor  # [B, 3, S, S] RGB in [0, 1]
    K: Tensor  # [B, 3, 3]
    detected: Tensor  # [B, 21, 2] pixels of a 224 px image; NaN where confidence is 0
    confidence: Tensor  # [B, 21]
    settings: RefineSettings

    def changed(self, changes: Changes) -> Hands:
        """The hands after changes."""
        code, texture = self.start.code, self.start.texture
        centre, shift = self.start.joints_cam.mean(1), changes["shift"]
        across, along = shift[:, :2] * centre[:, 2:], torch.expm1(shift[:, 2:]) * centre
        moved = GeometryCode(
            code.pose + changes["pose"],
            code.shape + changes["shape"],
            code.scale,
            axis_angle_to_matrix(changes["turn"]) @ code.rotation,
            code.translation + F.pad(across, (0, 1)) + along,
        )
        colors = (texture.colors.logit(_DARKEST) + changes["colors"]).sigmoid()
        lit = TextureCode(colors, texture.lights + changes["lights"])
        return self.network.decode(Encoded(moved, lit, self.start.heatmaps), self.K)

    def geometry(self, changes: Changes) -> Tensor:  # [B]
        """The weighted terms of joints, pose, shape and place."""
        return self._weighted(self._geometry(self.changed(changes), changes))

    def picture(self, changes: Changes) -> Tensor:  # [B]
        """The same and those of the pixels."""
        hands = self.changed(changes)
        return self._weighted(self._geometry(hands, changes) | self._picture(hands))

    def _weighted(self, terms: dict[str, Tensor]) -> Tensor:
        weights = self.settings.weights
        return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum(0)

    def _geometry(self, hands: Hands, changes: Changes) -> dict[str, Tensor]:
        model = self.network.hand
        projected = losses.to_reference_pixels(hands.joints_px, self.images.shape[-1])
        limits = losses.E_J(model.finger_axis_angle(hands.code.pose), model)
        return {
            "E_loc": losses.E_loc(self.detected, projected, self.confidence).mean(-1),
            "E_ori": losses.E_ori(self.detected, projected, self.confidence).mean(-1),
            "E_J": limits.sum(-1).mean(-1),
            "E_beta": losses.E_beta(hands.code.shape),
            "start_pose": changes["pose"].square().mean(-1),
            "start_shape": changes["shape"].square().mean(-1),
            "start_turn": changes["turn"].square().sum(-1),
            "start_distance": changes["shift"][:, 2].square(),
        }

    def _picture(self, hands: Hands) -> dict[str, Tensor]:
        image = render_hands(self.network.hand, hands, self.K, self.images, self.settings.supersampling)
        compared = (self.images, image.rgb, image.silhouette)
        return {
            "E_pixel": losses.E_pixel(*compared, self.confidence).sum((1, 2)),
            "E_SSIM": losses.E_SSIM(*compared).mean((1, 2, 3)),
            "E_C": losses.E_C(hands.texture.colors).mean((1, 2)),
        }
