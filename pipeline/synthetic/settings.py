"""What a synthetic data set is made of: every choice that changes its photographs, and how many there are."""

from typing import Annotated

from pydantic import Field, Strict, model_validator

from s2hand.datasets.settings import Settings

MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 32, 1024


class SyntheticSettings(Settings):
    """Settings of one synthetic data set; checked on creation; unknown keys and other types are refused.

    The pictures depend on every field except `workers` and on nothing else: the same settings write the same files.
    """

    train: Annotated[int, Field(ge=0, description="training hands; each is written in `versions` photographs")] = 2000
    evaluation: Annotated[int, Field(ge=0, description="evaluation hands, one photograph each")] = 400
    image_size: Annotated[
        int,
        Field(ge=MIN_IMAGE_SIZE, le=MAX_IMAGE_SIZE, description="side of the square photographs in pixels"),
    ] = 224
    versions: Annotated[
        int,
        Field(ge=1, le=4, description="backgrounds per training hand: the first of gs, hom, sample, auto"),
    ] = 4
    seed: Annotated[int, Field(ge=0, description="seed of the whole data set")] = 0
    workers: Annotated[int, Field(ge=1, le=256, description="processes that render; changes nothing but the time")] = 2
    coverage: Annotated[
        tuple[float, float],
        Strict(False),  # YAML has lists only
        Field(description="range of the hand's longer side (box of the joints) in units of the image's side"),
    ] = (0.45, 0.95)
    difficulty: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="0: whole, sharp hands, fingers up, seen from palm or back, before little; towards 1 more "
            "are seen from anywhere, hidden in part, small, blurred",
        ),
    ] = 1.0
    vertices: Annotated[bool, Field(description="write *_verts.json (18 kB per hand; a 2D detector needs none)")] = True

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
