"""Both branches of the training, and which of them a stage trains."""

from dataclasses import dataclass
from enum import StrEnum

from timm.layers import convert_sync_batchnorm  # type: ignore[attr-defined]
from torch import Tensor, nn

from s2hand.train.hourglass import HourglassBranch, Pointed
from s2hand.train.mano import HandModel
from s2hand.train.model import HandNetwork, Hands
from s2hand.train.settings import StageSettings, TrainSettings


class Stage(StrEnum):
    """The stages of training, in their order (section 4.2 of the paper)."""

    shape = "shape"
    keypoints = "keypoints"
    joint = "joint"

    @property
    def has_3d(self) -> bool:
        """Whether the 3D branch is trained."""
        return self is not Stage.keypoints

    @property
    def has_2d(self) -> bool:
        """Whether the 2D branch is trained, if there is one."""
        return self is not Stage.shape


def planned_stages(settings: TrainSettings) -> list[tuple[Stage, StageSettings]]:
    """The stages that a run consists of."""
    every = [(stage, getattr(settings.stages, stage)) for stage in Stage]
    return [(stage, plan) for stage, plan in every if plan.epochs and (stage.has_3d or settings.loss.two_branches)]


@dataclass(frozen=True)
class Outputs:
    """What the branches say of B crops: those that run."""

    hands: Hands | None
    stacks: tuple[Pointed, ...]  # of the 2D branch, the best last


class Branches(nn.Module):
    """The 3D branch and, where a loss needs it, the 2D branch; only the former is the result of a training."""

    def __init__(self, settings: TrainSettings, hand: HandModel) -> None:
        super().__init__()
        self.reconstruction: HandNetwork | None = HandNetwork(settings.encoder, hand)
        self.keypoints = HourglassBranch(settings.hourglass) if settings.loss.two_branches else None

    def of_stage(self, stage: Stage) -> "Branches":
        """The branches that a stage trains: the same modules, without the others."""
        chosen = Branches.__new__(Branches)
        nn.Module.__init__(chosen)
        chosen.reconstruction = self.reconstruction if stage.has_3d else None
        chosen.keypoints = self.keypoints if stage.has_2d else None
        return chosen

    def forward(self, images: Tensor, K: Tensor) -> Outputs:
        """Take crops [B, 3, S, S] RGB in [0, 1] with cameras K [B, 3, 3] through the branches."""
        hands = self.reconstruction(images, K) if self.reconstruction is not None else None
        stacks = self.keypoints(images) if self.keypoints is not None else ()
        return Outputs(hands, stacks)


def freeze_batch_norm(network: nn.Module) -> None:
    """Let batch normalisations keep to their running statistics, which stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def start_training(network: nn.Module, frozen: bool) -> None:
    """Training mode, with batch statistics or without."""
    network.train()
    if frozen:
        freeze_batch_norm(network)


def synchronize_batch_norm(network: nn.Module) -> None:
    """Take batch statistics over all processes, on GPUs, where torch can; values are the same otherwise.

    torch's own conversion would lose the activations that timm's normalisations include.
    """
    for name, child in list(network.named_children()):
        setattr(network, name, convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
