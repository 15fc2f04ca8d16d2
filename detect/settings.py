"""The settings of a detection run, checked: section `detect` of `params.yaml`, options of `detect run`."""

from typing import Annotated

from pydantic import Field, Strict, model_validator

from s2hand.datasets.records import Hand
from s2hand.datasets.settings import Settings
from s2hand.detect.variants import SCALES, Precision, Variant, Where

LOCALIZED_CONFIDENCE = 0.3
"""The mean confidence below which what a finder took for a hand is probably none: `docs/detect.md`."""

Scale = Annotated[float, Field(gt=0, le=4)]


class DetectSettings(Settings):
    """How keypoints are detected. Unknown keys and values of another type are refused.

    Examples:
        >>> from s2hand.detect import DetectSettings
        >>> settings = DetectSettings(hand="left", device="cpu")
        >>> settings.weights, settings.shard_size
        ('slim', 1000)
        >>> DetectSettings(hands="left")
        Traceback (most recent call last):
        ...
        pydantic_core._pydantic_core.ValidationError: ...
    """

    weights: str = "slim"
    """`slim` for the weights in the package, or the path of a weight file; its content tells the network."""
    hand: Hand = "right"
    """Which hand the images show; left ones are mirrored for the network, their keypoints mirrored back."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:N`, or `auto` for the GPU if there is one."""
    batch_size: int | None = Field(default=None, ge=1)
    """Images per call of the network; by default what suits network and device."""
    shard_size: int = Field(default=1000, ge=1)
    """Images per shard: what is lost at most when a run is killed."""
    scales: Annotated[tuple[Scale, ...], Strict(False), Field(min_length=1)] = SCALES
    """OpenPose weights only: heights at which the network sees an image, in units of 368 pixels."""
    variant: Variant = "openpose"
    """OpenPose weights only: the published code whose peaks to reproduce, see `variants`."""
    precision: Precision = "auto"
    """What the network computes in: `float32`, `bfloat16`, or `auto` for the latter where the hardware has it."""
    compile: bool = False
    """OpenPose weights only: compile the network for each size of its input. It pays after thousands of images of one
    size; on a CPU it needs a C++ compiler."""
    every: int = Field(default=1, ge=1)
    """Of videos, take every n-th frame."""
    localize: Where = "whole"
    """Where the hands are: `whole`: each image is one; `body`: where OpenPose's body network sees wrists; `slim`:
    where our own finder of hands sees them."""
    boxes: str | None = None
    """A file with the hands' boxes, Parquet, CSV or COCO, in the place of `localize`."""
    box_scale: float = Field(default=1.0, gt=0, le=4)
    """Hand boxes are enlarged by this before they are looked at; boxes that fit tightly want about 1.4."""
    body_weights: str = "openpose-body"
    """`localize: body` only: the path of body_pose_model.pth, or `openpose-body` for the one that was fetched."""
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    """Hands of a lower mean confidence are no hands, and get no row; by default 0.3 where a network looks for hands,
    which takes other things for some, else 0."""
    workers: int = Field(default=1, ge=1)
    """Processes on this machine that share the work; they change nothing in the result."""
    scheduler: str | None = None
    """Address of a running Dask scheduler, `tcp://HOST:8786`, whose workers do the work."""

    @property
    def least_confidence(self) -> float:
        """Return `min_confidence`, or what suits the way in which hands are found."""
        if self.min_confidence is not None:
            return self.min_confidence
        return 0.0 if self.localize == "whole" else LOCALIZED_CONFIDENCE

    @model_validator(mode="after")
    def _one_answer(self) -> "DetectSettings":
        if self.boxes is not None and self.localize != "whole":
            raise ValueError(
                f"boxes and localize both say where the hands are: leave out one, {self.localize!r} or boxes"
            )
        if self.workers > 1 and self.scheduler is not None:
            raise ValueError("workers and scheduler: leave out one; the scheduler has its own workers")
        return self
