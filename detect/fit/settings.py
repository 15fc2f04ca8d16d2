"""The settings of a training run, checked; a preset is a YAML file of these."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from s2hand.datasets.files import DataError

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """Unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AugmentSettings(Strict):
    """How training crops are varied; nothing is ever mirrored, since a mirrored right hand is a left one."""

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 25.0
    """Standard deviation of the rotation in the picture."""
    coverage: tuple[Positive, Positive] = (0.5, 0.92)
    """Range of the longer side of the box around the joints, in units of the crop's side."""
    overhang: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """How far that box may reach beyond the crop, in units of the crop's side."""
    max_zoom: Positive = 2.0
    """A photograph is never enlarged by more than this."""
    color: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Strength of the changes of brightness, contrast, gamma, saturation and white balance."""
    occluder: Probability = 0.05
    """How often a piece of another photograph hides a part of the crop."""
    background: Probability = 0.1
    """How often, where a mask is there, the background is replaced by a part of another photograph."""
    blur: Probability = 0.15
    noise: Probability = 0.2
    jpeg: Probability = 0.1
    degrade_over: Annotated[int, Field(ge=0)] = 100_000
    """Blur, noise and JPEG grow from never to their full frequency over this many samples: a network that still
    learns what a hand is gains nothing from them."""


class RunSettings(Strict):
    """What every training run of ours has, whatever it trains."""

    seed: Annotated[int, Field(ge=0)] = 0
    samples: Annotated[int, Field(gt=0)] = 1_000_000
    """Pictures to see in all, each freshly augmented. Until the learning rate falls nothing else depends on it: a run
    that was stopped before may be resumed with another length."""
    micro_batch: Annotated[int, Field(gt=1)] = 16
    """Pictures that one thread takes through the network at a time; also what the normalisations see."""
    micro_batches: Annotated[int, Field(gt=0)] = 2
    """Micro-batches whose gradients are summed to one step."""
    learning_rate: Positive = 1.5e-3
    """The highest: it warms up to it in a line, stays, and falls to nothing in a line at the end."""
    warm_up: Annotated[int, Field(ge=0)] = 4000
    """Samples to warm up over."""
    fall: Probability = 0.35
    """Part of the run over which the learning rate falls."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    average_decay: Annotated[float, Field(gt=0, lt=1)] = 0.998
    """Decay per step of the running average of the weights; the average is what is kept."""
    bf16: bool = True
    """Compute in bfloat16 where that loses nothing that matters; weights and sums stay float32."""
    workers: Annotated[int | None, Field(gt=0)] = None
    """Threads that augment and compute; by default one per processor core. Changes nothing but the time."""
    validation_images: Annotated[int, Field(gt=0)] = 2000
    """Held-back images to measure with, at most."""
    validate_every: Annotated[int, Field(gt=0)] = 50_000
    """Samples between measurements; a checkpoint is written with each."""

    @property
    def batch(self) -> int:
        """Pictures per step."""
        return self.micro_batch * self.micro_batches

    @property
    def first_falling_step(self) -> int:
        """Step from which the learning rate falls."""
        return self.steps - round(self.fall * self.steps)

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return max(1, self.samples // self.batch)


class FitSettings(RunSettings):
    """A training run of the slim network. The weights depend on these, on the data, and on the machine's arithmetic;
    not on `workers`."""

    target_sigma: Positive = 1.0
    """Width of the target around a joint, cells of the heatmap."""
    location_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the L1 error of the expected place, in units of the crop's side, beside the cross-entropy."""
    augment: AugmentSettings = AugmentSettings()


AnySettings = TypeVar("AnySettings", bound=RunSettings)


def read_settings(path: Path | None, kind: type[AnySettings]) -> AnySettings:
    """Read a preset; without one, the defaults. Raises `DataError` that names file and key."""
    if path is None:
        return kind()
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return kind.model_validate(values or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "the whole file"
        raise DataError(f"{path}: {key}: {first['msg']}, found {first['input']!r}") from error
