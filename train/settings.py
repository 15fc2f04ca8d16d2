"""The settings of a training run: typed, checked, every one of them read by the code that it names."""

from typing import Annotated, Literal

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
    """The encoder also has a heatmap for each joint, and its last layers see where their softmax expects the joints.
    E_points teaches the maps. Not in the paper; a short training learns much sooner so."""
    hidden: int = Field(default=0, ge=0)
    """Width of a hidden layer between the pooled features and the code; 0: none, as the paper."""
    grid: int = Field(default=1, ge=1, le=8)
    """The deep features are pooled to grid x grid cells: 1 is the paper's mean over the image; more keeps
    where in the image something is, from which a short training learns sooner."""


class HourglassSettings(Settings):
    """The 2D branch (`train/hourglass.py`): a stacked hourglass that sees the crop at a size of its own."""

    stacks: int = Field(default=2, ge=1, le=8)
    """Hourglasses, one after the other, each with its own answer."""
    features: int = Field(default=256, ge=8, multiple_of=4)
    """Channels inside the hourglasses."""
    depth: int = Field(default=4, ge=1, le=6)
    """How many times an hourglass halves its maps, which start at a quarter of image_size."""
    image_size: int = Field(default=256, ge=32, multiple_of=4)
    """Pixels of a side of what it sees."""

    @model_validator(mode="after")
    def _halves(self) -> "HourglassSettings":
        side = self.image_size // 4
        if side % 2**self.depth:
            raise ValueError(f"image_size / 4 = {side} can't be halved {self.depth} times; lower depth")
        return self


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
    blur: float = Field(default=0.0, ge=0.0, le=0.1)
    """Largest standard deviation of a Gaussian blur, in units of the crop's side. Only what the networks see is
    blurred, not what the photometric losses compare with."""
    occlusion: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the crops of which a rectangle, up to 0.4 of the side, is covered by one colour; likewise."""


class LossSettings(Settings):
    """Weights of the loss terms (`train/losses.py`); 0 switches a term off. Defaults: the authors' code."""

    E_loc: float = Field(default=1e-3, ge=0.0)
    """Joint location, equation 3."""
    E_ori: float = Field(default=0.1, ge=0.0)
    """Bone orientation, equation 4."""
    E_pixel: float = Field(default=5e-3, ge=0.0)
    """Colours of the render, equation 6."""
    E_SSIM: float = Field(default=1e-3, ge=0.0)
    """Structural similarity of the render, equation 7."""
    E_beta: float = Field(default=1e-2, ge=0.0)
    """Shape, equation 9."""
    E_C: float = Field(default=5e-3, ge=0.0)
    """Outlying colours of the texture, equation 9."""
    E_s: float = Field(default=0.1, ge=0.0)
    """Scale, equation 9: centimetres of the middle finger's first bone."""
    E_J: float = Field(default=0.1, ge=0.0)
    """Joint limits, equation 9."""
    E_theta: float = Field(default=0.0, ge=0.0)
    """Distance of the pose from the mean pose: not in the paper, for short trainings."""
    E_points: float = Field(default=0.1, ge=0.0)
    """The encoder's own heatmaps, for `encoder.points`: not in the paper."""
    E_2d: float = Field(default=1e-3, ge=0.0)
    """Joint location of the 2D branch, equation 10, of each of its stacks. Where it is 0 there is no 2D branch."""
    E_maps: float = Field(default=0.0, ge=0.0)
    """The 2D branch's own heatmaps, of each of its stacks: not in the paper, for short trainings."""
    E_con: float = Field(default=2e-4, ge=0.0)
    """2D-3D consistency, equation 11."""
    wrist_weight: float = Field(default=2.0, gt=0.0)
    """Weight of the wrist in E_loc."""
    tip_weight: float = Field(default=1.5, gt=0.0)
    """Weight of the five fingertips in E_loc; the other joints count 1."""
    bone_cm: float | None = Field(default=None, gt=0.0)
    """What E_s expects of the middle finger's first bone; none: the authors' 2.82 for MANO, else the model's own."""

    @model_validator(mode="after")
    def _some_term(self) -> "LossSettings":
        if self.E_loc == 0 and self.E_ori == 0:
            raise ValueError("E_loc and E_ori are both 0: nothing would tie the hand to the image")
        for name in ("E_con", "E_maps"):
            if getattr(self, name) > 0 and self.E_2d == 0:
                raise ValueError(f"{name} needs E_2d, without which there is no 2D branch; set both, or both to 0")
        return self

    @property
    def photometric(self) -> bool:
        """Whether the hand has to be rendered."""
        return self.E_pixel > 0 or self.E_SSIM > 0

    @property
    def two_branches(self) -> bool:
        """Whether there is a 2D branch."""
        return self.E_2d > 0


class StageSettings(Settings):
    """One stage of training: how long, and how fast."""

    epochs: int = Field(ge=0)
    """0 leaves the stage out."""
    learning_rate: float = Field(gt=0.0)
    """Adam's step size after the warm-up."""
    schedule: Literal["step", "cosine"] = "step"
    """`step`: multiply by step_factor every step_epochs, as the paper; `cosine`: fall to zero at the end."""
    step_epochs: int = Field(default=30, ge=1)
    """Of `step`: after how many epochs the learning rate is multiplied."""
    step_factor: float = Field(default=0.5, gt=0.0, le=1.0)
    """Of `step`: by what."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimiser steps in which the learning rate rises from zero, at most a tenth of all."""


class StagesSettings(Settings):
    """The stages, in this order (section 4.2 of the paper). `joint` alone trains end to end."""

    shape: StageSettings = StageSettings(epochs=90, learning_rate=1e-3)
    """The 3D branch by E_3d, equation 2."""
    keypoints: StageSettings = StageSettings(epochs=90, learning_rate=1e-3)
    """The 2D branch by E_2d, equation 10."""
    joint: StageSettings = StageSettings(epochs=60, learning_rate=2.5e-4, step_epochs=20, step_factor=1 / 3)
    """Both branches by E, equation 1."""


class TrainSettings(Settings):
    """All of a training run (`train/loop.py`). Defaults: the paper's."""

    stages: StagesSettings = StagesSettings()
    batch_size: int = Field(default=64, ge=2)
    """Samples per step, over all processes; an incomplete last batch of an epoch is left out."""
    weight_average: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Decay per step of the moving average of the weights that a stage ends with; 0: the weights themselves."""
    freeze_batch_norm: bool = False
    """Normalise by the running statistics that the networks start with: for pretrained ones and small batches."""
    held_back: float = Field(default=0.02, ge=0.0, lt=0.5)
    """Share of the training samples, the last ones of the pack, that only choose the best checkpoint. Where a hand is
    there before several backgrounds, they are new backgrounds of known hands."""
    sheet_epochs: int = Field(default=5, ge=0)
    """A contact sheet of samples and predictions every so many epochs, and at the end of a stage; 0: none."""
    supersampling: int = Field(default=2, ge=1, le=4)
    """Samples per pixel and axis of the renders that the photometric losses see."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: the networks run under autocast; hand model, projection, renderer and losses stay in float32."""
    compile: bool = False
    """Compile the networks with `torch.compile`: worth it on GPUs; on a CPU it needs a C++ compiler."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU if there is one."""
    processes: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Processes that share each batch, at most one per GPU; `auto`: one per GPU, one on a CPU. There, as many as there
    are cores are much quicker than one, whose threads would share every layer and wait for each other hundreds of times
    per step. Batch statistics are those of a process' part on a CPU, so that their number changes numbers a little."""
    start: str | None = None
    """Folder of an earlier training, of the same networks, whose weights this one starts from."""
    memory_gb: float | Literal["auto"] = "auto"
    """Images up to this size are held in the device's memory; more are read from the pack by workers. `auto`: half of
    what is free there."""
    workers: int = Field(default=2, ge=1)
    """Processes that read the pack where it is not held in memory."""
    seed: int = Field(default=0, ge=0)
    """Decides first weights, order of the samples and augmentation."""
    encoder: EncoderSettings = EncoderSettings()
    hourglass: HourglassSettings = HourglassSettings()
    augment: AugmentSettings = AugmentSettings()
    loss: LossSettings = LossSettings()

    @model_validator(mode="after")
    def _trains(self) -> "TrainSettings":
        if self.stages.shape.epochs == 0 and self.stages.joint.epochs == 0 and self.start is None:
            raise ValueError("stages: shape and joint both have 0 epochs, and no start: nothing would train a hand")
        if not any((self.stages.shape.epochs, self.stages.keypoints.epochs, self.stages.joint.epochs)):
            raise ValueError("stages: all have 0 epochs")
        return self
