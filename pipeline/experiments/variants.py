"""What is trained in each experiment: which terms of the loss are on, and which keypoints teach."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from s2hand.train.settings import LossSettings, TrainSettings


class Keypoints(StrEnum):
    """What a training learns from; there is a pack of the same crops of each."""

    detected = "detected"  # with the detector's confidences
    true = "true"  # true joints, projected; all of confidence 1


class ExperimentError(ValueError):
    """Parameters that an experiment can't be made with; the message names the key."""


PHOTOMETRIC = ("E_pixel", "E_SSIM", "E_C")
"""The paper's E_photo, and the colours' regulariser, which has nothing to hold back without it."""
TWO_D = ("E_2d", "E_maps", "E_con")


@dataclass(frozen=True)
class Variant:
    """A training of an experiment, but for its seed."""

    title: str
    settings: TrainSettings
    keypoints: Keypoints = Keypoints.detected


def without(settings: TrainSettings, terms: Sequence[str]) -> TrainSettings:
    """The same settings with the weights of some terms 0."""
    loss = LossSettings.model_validate({**settings.loss.model_dump(), **dict.fromkeys(terms, 0.0)})
    return settings.model_copy(update={"loss": loss})


def ablation(settings: TrainSettings) -> list[Variant]:
    """The rows of Table 4, each with a group of terms more than the one before; the last is the full method."""
    _require(settings.loss, "E_loc", "E_ori", "E_2d", "E_con")
    if not settings.loss.photometric:
        raise ExperimentError("train.loss: E_pixel and E_SSIM are both 0; the ablation's last row needs one of them")
    return [
        Variant("E_loc, E_regu", without(settings, ("E_ori", *TWO_D, *PHOTOMETRIC))),
        Variant("+ E_ori", without(settings, (*TWO_D, *PHOTOMETRIC))),
        Variant("+ E_2d, E_con", without(settings, PHOTOMETRIC)),
        Variant("+ E_photo (full)", settings),
    ]


def supervision(settings: TrainSettings) -> list[Variant]:
    """The rows of Table 5: the full method, taught by true 2D joints and by detections."""
    return [
        Variant("WSL: true 2D joints", settings, Keypoints.true),
        Variant("SSL: detections", settings),
    ]


def consistency(settings: TrainSettings) -> list[Variant]:
    """The two trainings of Figure 4: without E_con, and the full method."""
    _require(settings.loss, "E_2d", "E_con")
    return [Variant("w/o 2D-3D", without(settings, ("E_con",))), Variant("w/ 2D-3D", settings)]


def _require(loss: LossSettings, *terms: str) -> None:
    for term in terms:
        if getattr(loss, term) == 0:
            raise ExperimentError(f"train.loss.{term}: expected more than 0, which the experiment compares with 0")
