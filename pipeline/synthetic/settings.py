"""What a synthetic data set is made of: every choice that changes its photographs, and how many there are."""

from typing import Annotated

from pydantic import Field, Strict, model_validator

from s2hand.datasets.settings import Settings

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 32, 1024


class SyntheticSettings(Settings):
    """Settings of one synthetic data set; checked on creation; unknown keys and other types are refused.

    The pictures depend on every field except `workers` and on nothing else: the same settings write the same files.
    """

    train: int = Field(default=2000, ge=0)
    """Training hands; each is written in `versions` photographs."""
    evaluation: int = Field(default=400, ge=0)
    """Evaluation hands, one photograph each."""
    image_size: int = Field(default=224, ge=MIN_IMAGE_SIZE, le=MAX_IMAGE_SIZE)
    """Side of the square photographs in pixels."""
    versions: int = Field(default=4, ge=1, le=4)
    """Backgrounds per training hand: the first of gs, hom, sample, auto."""
    seed: int = Field(default=0, ge=0)
    """Of the whole data set."""
    workers: int = Field(default=2, ge=1, le=256)
    """Processes that render; they change nothing but the time."""
    coverage: Annotated[tuple[float, float], Strict(False)] = (0.45, 0.95)  # YAML has lists only
    """Range of the hand's longer side (box of the joints) in units of the image's side."""
    difficulty: float = Field(default=1.0, ge=0, le=1)
    """0: whole, sharp hands, fingers up, seen from palm or back, before little; towards 1 more are seen from anywhere,
    hidden in part, small, blurred."""
    vertices: bool = True
    """Write `*_verts.json` (18 kB per hand; a 2D detector needs none)."""

    @model_validator(mode="after")
    def _check(self) -> "SyntheticSettings":
        low, high = self.coverage
        if not 0.1 <= low <= high <= 1.5:
            raise ValueError(
                f"coverage: expected 0.1 <= low <= high <= 1.5 (hand size over image size), found {self.coverage}"
            )
        if self.train + self.evaluation == 0:
            raise ValueError("train and evaluation are both 0: ask for at least one hand")
        return self
