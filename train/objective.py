"""The training objective: every term of the loss per sample, and their weighted sum.

Equations 2 and 9 without the photometric terms: E_3d = sum of weight times mean over the batch. A term of
weight 0 is not computed.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from s2hand.train import losses
from s2hand.train.augment import Batch
from s2hand.train.mano import HandModel
from s2hand.train.model import Hands, mean_bone
from s2hand.train.settings import LossSettings

Term = Callable[[Hands, Batch], Tensor]


class Objective:
    """Computes the loss terms that `settings` gives a weight, for hands of the model `hand`."""

    def __init__(self, settings: LossSettings, hand: HandModel) -> None:
        every: dict[str, Term] = {
            "E_loc": self._location,
            "E_ori": self._orientation,
            "E_2d": self._points,
            "E_beta": lambda hands, batch: losses.E_beta(hands.code.shape),
            "E_s": lambda hands, batch: losses.E_s(hands.joints_cam, self.bone),
            "E_J": self._limits,
            "E_theta": lambda hands, batch: losses.E_theta(hands.code.pose),
        }
        self.weights: dict[str, float] = {name: getattr(settings, name) for name in every}
        self._terms = {name: term for name, term in every.items() if self.weights[name] > 0}
        self.hand = hand
        self.bone = mean_bone(hand)
        joints = losses.joint_weights(settings.wrist_weight, settings.tip_weight)
        self.joint_weights = joints.to(hand.faces.device)

    def terms(self, hands: Hands, batch: Batch) -> dict[str, Tensor]:
        """Each term per sample, [B], not yet weighted; E_2d only of an encoder that points."""
        present = {name: term for name, term in self._terms.items() if name != "E_2d" or hands.points_px is not None}
        return {name: term(hands, batch) for name, term in present.items()}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The loss: a scalar."""
        return torch.stack([self.weights[name] * term.mean() for name, term in terms.items()]).sum()

    def _location(self, hands: Hands, batch: Batch) -> Tensor:
        per_joint = losses.E_loc(*_pixels(hands, batch), batch.keypoints[..., 2])
        return (per_joint * self.joint_weights).mean(-1)

    def _points(self, hands: Hands, batch: Batch) -> Tensor:
        assert hands.points_px is not None
        size = batch.images.shape[-1]
        detected = losses.to_reference_pixels(batch.keypoints[..., :2], size)
        points = losses.to_reference_pixels(hands.points_px, size)
        return losses.E_2d(detected, points, batch.keypoints[..., 2]).mean(-1)

    def _orientation(self, hands: Hands, batch: Batch) -> Tensor:
        return losses.E_ori(*_pixels(hands, batch), batch.keypoints[..., 2]).mean(-1)

    def _limits(self, hands: Hands, batch: Batch) -> Tensor:
        angles = self.hand.finger_axis_angle(hands.code.pose)
        return losses.E_J(angles, self.hand).sum(-1).mean(-1)


def _pixels(hands: Hands, batch: Batch) -> tuple[Tensor, Tensor]:
    """Detected and projected joints [B, 21, 2] in pixels of a 224 px image."""
    size = batch.images.shape[-1]
    detected = losses.to_reference_pixels(batch.keypoints[..., :2], size)
    return detected, losses.to_reference_pixels(hands.joints_px, size)
