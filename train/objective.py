"""The training objective: every term of the loss per sample, and their weighted sum, equation 1.

A stage has the terms of the branches that it trains: `shape` E_3d (equation 2), `keypoints` E_2d (equation 10),
`joint` all of E. A term of weight 0 is not computed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from s2hand.train import losses
from s2hand.train.augment import Batch
from s2hand.train.branches import Outputs, Stage
from s2hand.train.mano import HandModel
from s2hand.train.model import Hands, expected_bone, render_hands
from s2hand.train.render.image import RenderedImage
from s2hand.train.settings import LossSettings


@dataclass(frozen=True)
class Seen:
    """What the terms are made from; all joints [B, 21, 2] in pixels of a 224 px image."""

    batch: Batch
    confidence: Tensor  # [B, 21]
    detected: Tensor  # NaN where confidence is 0
    stacks: list[Tensor]  # of each stack of the 2D branch
    heatmaps: list[Tensor]  # of each stack, [B, 21, h, w]
    hands: Hands | None = None
    projected: Tensor | None = None
    image: RenderedImage | None = None


Term = Callable[[Seen], Tensor]
Value = TypeVar("Value")


class Objective:
    """Computes the loss terms that `settings` gives a weight in a stage, for hands of the model `hand`."""

    def __init__(self, settings: LossSettings, hand: HandModel, stage: Stage, supersampling: int = 2) -> None:
        self.hand, self.supersampling = hand, supersampling
        self.bone = expected_bone(hand) if settings.bone_cm is None else settings.bone_cm / 100
        joints = losses.joint_weights(settings.wrist_weight, settings.tip_weight)
        self.joint_weights = joints.to(hand.faces.device)
        chosen = (self._terms_3d() if stage.has_3d else {}) | (self._terms_2d() if stage.has_2d else {})
        if stage is Stage.joint:
            chosen["E_con"] = lambda seen: losses.E_con(_known(seen.projected), seen.stacks[-1]).mean(-1)
        self.weights: dict[str, float] = {name: getattr(settings, name) for name in chosen}
        self._terms: dict[str, Term] = {name: term for name, term in chosen.items() if self.weights[name] > 0}
        self._photometric = stage.has_3d and settings.photometric

    def terms(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Each term per sample, [B], not yet weighted; E_points only of an encoder that points."""
        seen = self._look(outputs, batch)
        absent = {"E_points"} if seen.hands is None or seen.hands.heatmaps is None else set()
        return {name: term(seen) for name, term in self._terms.items() if name not in absent}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The loss: a scalar, the mean of E over the batch."""
        return losses.E(terms, self.weights).mean()

    def _look(self, outputs: Outputs, batch: Batch) -> Seen:
        size, hands = batch.images.shape[-1], outputs.hands
        detected = losses.to_reference_pixels(batch.keypoints[..., :2], size)
        stacks = [losses.to_reference_pixels(stack.joints, size) for stack in outputs.stacks]
        heatmaps = [stack.heatmaps for stack in outputs.stacks]
        confidence = batch.keypoints[..., 2]
        if hands is None:
            return Seen(batch, confidence, detected, stacks, heatmaps)
        projected = losses.to_reference_pixels(hands.joints_px, size)
        image = None
        if self._photometric:
            # The image itself is the background: a pixel that no hand covers is as it should be.
            image = render_hands(self.hand, hands, batch.K, batch.targets, self.supersampling)
        return Seen(batch, confidence, detected, stacks, heatmaps, hands, projected, image)

    def _terms_3d(self) -> dict[str, Term]:
        return {
            "E_loc": self._location,
            "E_ori": lambda seen: losses.E_ori(seen.detected, _known(seen.projected), seen.confidence).mean(-1),
            "E_pixel": self._pixel,
            "E_SSIM": self._ssim,
            "E_beta": lambda seen: losses.E_beta(_known(seen.hands).code.shape),
            "E_C": lambda seen: losses.E_C(_known(seen.hands).texture.colors).mean((1, 2)),
            "E_s": lambda seen: losses.E_s(_known(seen.hands).joints_cam, self.bone),
            "E_J": self._limits,
            "E_theta": lambda seen: losses.E_theta(_known(seen.hands).code.pose),
            "E_points": _heatmap_agreement,
        }

    def _terms_2d(self) -> dict[str, Term]:
        return {"E_2d": _branch_location, "E_maps": _branch_maps}

    def _location(self, seen: Seen) -> Tensor:
        per_joint = losses.E_loc(seen.detected, _known(seen.projected), seen.confidence)
        return (per_joint * self.joint_weights).mean(-1)

    def _pixel(self, seen: Seen) -> Tensor:
        image = _known(seen.image)
        return losses.E_pixel(seen.batch.targets, image.rgb, image.silhouette, seen.confidence).sum((1, 2))

    def _ssim(self, seen: Seen) -> Tensor:
        image = _known(seen.image)
        return losses.E_SSIM(seen.batch.targets, image.rgb, image.silhouette).mean((1, 2, 3))

    def _limits(self, seen: Seen) -> Tensor:
        angles = self.hand.finger_axis_angle(_known(seen.hands).code.pose)
        return losses.E_J(angles, self.hand).sum(-1).mean(-1)


def _branch_location(seen: Seen) -> Tensor:
    """E_2d, averaged over joints and stacks."""
    per_stack = [losses.E_2d(seen.detected, joints, seen.confidence).mean(-1) for joints in seen.stacks]
    return torch.stack(per_stack).mean(0)


def _branch_maps(seen: Seen) -> Tensor:
    """E_points of the 2D branch's maps, averaged over joints and stacks."""
    per_stack = [losses.E_points(seen.detected, maps, seen.confidence).mean(-1) for maps in seen.heatmaps]
    return torch.stack(per_stack).mean(0)


def _heatmap_agreement(seen: Seen) -> Tensor:
    heatmaps = _known(_known(seen.hands).heatmaps)
    return losses.E_points(seen.detected, heatmaps, seen.confidence).mean(-1)


def _known(value: Value | None) -> Value:
    """A value that the stage's branches have given."""
    assert value is not None
    return value
