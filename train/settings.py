"""The settings of a training run: typed, checked, every one of them read by the code that it names."""

from typing import Literal

from pydantic import Field, model_validator

from s2hand.datasets.settings import Settings


class EncoderSettings(Settings):
    """The network from image to geometry code (`train/encoder.py`)."""

    pretrained: Literal["auto", "always", "never"] = "auto"
    """ImageNet weights of the backbone: `auto` uses them where they are cached or can be downloaded, and says
    so where not; `always` fails instead; `never` starts from scratch and never looks at the network."""
    rotation: Literal["six_d", "axis_angle"] = "six_d"
    """What the last layer regresses for R: two columns of its matrix, which is continuous over all rotations,
    or R's three numbers themselves, as the paper."""
    points: bool = False
    """The encoder also points at the 21 joints, by a softmax over the image, and its last layer sees where they are.
    E_2d teaches the points. Not in the paper; a short training learns much sooner so."""
    hidden: int = Field(default=0, ge=0)
    """Width of a hidden layer between the pooled features and the code; 0: none, as the paper."""
    grid: int = Field(default=1, ge=1, le=8)
    """The deep features are pooled to grid x grid cells: 1 is the paper's mean over the image; more keeps
    where in the image something is, from which a short training learns sooner."""


class AugmentSettings(Settings):
    """Random changes of the training images (`train/augment.py`); K and keypoints move with them."""

    rotation_degrees: float = Field(default=180.0, ge=0.0, le=180.0)
    """Largest turn about the camera's principal axis, either way."""
    scale: float = Field(default=1.15, ge=1.0, le=4.0)
    """Largest zoom; the smallest is its inverse."""
    shift: float = Field(default=0.06, ge=0.0, le=1.0)
    """Largest shift along each axis, in units of the crop's side."""
    colour: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Strength of the changes of brightness, contrast, saturation and tint: factors up to 1 +- this."""


class LossSettings(Settings):
    """Weights of the loss terms (`train/losses.py`); 0 switches a term off. Defaults: the authors' code."""

    E_loc: float = Field(default=1e-3, ge=0.0)
    """Joint location, equation 3."""
    E_ori: float = Field(default=0.1, ge=0.0)
    """Bone orientation, equation 4."""
    E_2d: float = Field(default=1e-3, ge=0.0)
    """Joint location of the 2D points, equation 10; for `encoder.points`."""
    E_beta: float = Field(default=1e-2, ge=0.0)
    """Shape, equation 9."""
    E_s: float = Field(default=0.1, ge=0.0)
    """Scale, equation 9: centimetres of the middle finger's first bone."""
    E_J: float = Field(default=0.1, ge=0.0)
    """Joint limits, equation 9."""
    E_theta: float = Field(default=0.0, ge=0.0)
    """Distance of the pose from the mean pose: not in the paper, for short trainings."""
    wrist_weight: float = Field(default=2.0, gt=0.0)
    """Weight of the wrist in E_loc."""
    tip_weight: float = Field(default=1.5, gt=0.0)
    """Weight of the five fingertips in E_loc; the other joints count 1."""

    @model_validator(mode="after")
    def _some_term(self) -> "LossSettings":
        if self.E_loc == 0 and self.E_ori == 0:
            raise ValueError("E_loc and E_ori are both 0: nothing would tie the hand to the image")
        return self


class TrainSettings(Settings):
    """All of a training run (`train/loop.py`)."""

    epochs: int = Field(default=90, ge=1)
    batch_size: int = Field(default=64, ge=2)
    """Samples per step; an incomplete last batch of an epoch is left out."""
    micro_batches: int = Field(default=1, ge=1)
    """Parts of a batch that each CPU thread takes through the network on its own; a GPU takes the batch whole.
    Threads that meet once per step are much quicker than threads that share every layer, above all where other work
    uses the cores too. Batch statistics are those of a part. The result does not depend on how many cores there are."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """Adam's step size after the warm-up."""
    schedule: Literal["step", "cosine"] = "step"
    """`step`: multiply by step_factor every step_epochs, as the paper; `cosine`: fall to zero at the end."""
    step_epochs: int = Field(default=30, ge=1)
    step_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    warmup_steps: int = Field(default=0, ge=0)
    """Optimiser steps in which the learning rate rises from zero, at most a tenth of all."""
    weight_average: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay per step of the moving average of the weights that is kept as the result; 0: the weights themselves."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: the network runs under autocast; hand model, projection and losses stay in float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU if there is one."""
    memory_gb: float = Field(default=2.0, ge=0.0)
    """Images up to this size are held in the device's memory; more are read from the pack batch by batch."""
    seed: int = Field(default=0, ge=0)
    """Decides first weights, order of the samples and augmentation."""
    encoder: EncoderSettings = EncoderSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()
