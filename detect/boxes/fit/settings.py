"""The settings of a training run of the finder of hands; a preset is a YAML file of these."""

from typing import Annotated

from pydantic import Field

from s2hand.detect.fit.settings import Positive, Probability, RunSettings, Strict


class SceneSettings(Strict):
    """How scenes are put together."""

    side: Annotated[int, Field(ge=64, multiple_of=16)] = 192
    """Pixels of a side of a scene."""
    counts: tuple[Probability, ...] = (0.15, 0.3, 0.3, 0.15, 0.1)
    """How often a scene has no hand, one, two, ..."""
    sizes: tuple[Positive, Positive] = (0.1, 0.75)
    """Range of the longer side of the box around a hand's joints, in units of the scene's side; log-uniform."""
    pairs: Probability = 0.35
    """How often a hand is the other one of the last hand's person, near it, of the same skin."""
    people: tuple[Probability, ...] = (0.3, 0.4, 0.3)
    """How often there is nobody else, one person, two, ... behind the hands."""
    front: Probability = 0.25
    """How often something lies before it all, in part."""
    color: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Strength of the changes of brightness, contrast, gamma, saturation and white balance."""
    blur: Probability = 0.25
    noise: Probability = 0.25
    jpeg: Probability = 0.3
    degrade_over: Annotated[int, Field(ge=0)] = 40_000
    """Blur, noise and JPEG grow from never to their full frequency over this many scenes."""


class BoxesSettings(RunSettings):
    """A training run. The weights depend on these, on the pieces, and on the machine's arithmetic."""

    samples: Annotated[int, Field(gt=0)] = 120_000
    learning_rate: Positive = 2e-3
    box_weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the boxes' errors beside those of the heatmaps."""
    validation_images: Annotated[int, Field(gt=0)] = 600
    validate_every: Annotated[int, Field(gt=0)] = 20_000
    scenes: SceneSettings = SceneSettings()
