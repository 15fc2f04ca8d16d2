"""What a reconstruction of a folder is made with, checked."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from s2hand.datasets.records import HANDS
from s2hand.datasets.settings import Settings
from s2hand.detect.settings import DetectSettings
from s2hand.pipeline.reconstruct.formats import Format
from s2hand.train.refine_settings import RefineSettings


class ReconstructSettings(Settings):
    """How the hands of photographs are found, reconstructed and written."""

    checkpoint: Path
    """The folder that training wrote, or a file of weights in it."""
    hand: str = "open"
    """The hand model it was trained with."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:N`, or `auto` for the GPU if there is one."""
    detect: DetectSettings = DetectSettings()
    """How hands and their keypoints are found."""
    intrinsics: Path | None = None
    """A JSON file with the cameras' K, see `s2hand.datasets.folder`."""
    field_of_view: float = Field(default=50.0, gt=1.0, lt=170.0)
    """Degrees across the longer side, assumed where neither the file nor the photograph's Exif tells."""
    formats: tuple[Format, ...] = ("glb",)
    """Mesh files of each hand; none is an answer."""
    overlays: bool = True
    """Draw the hands over each photograph."""
    batch_size: int = Field(default=64, ge=1)
    """Hands at a time."""
    refine: RefineSettings | None = None
    """Fit each hand to its keypoints and pixels afterwards."""

    @field_validator("hand")
    @classmethod
    def _model(cls, hand: str) -> str:
        if hand in HANDS:
            raise ValueError(f"names the hand model, `open` or a file; which hand is shown says --hand {hand}")
        return hand

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: tuple[Format, ...]) -> tuple[Format, ...]:
        if len(set(formats)) < len(formats):
            raise ValueError(f"expected each format once, found {','.join(formats)}")
        return formats

    def parameters(self) -> dict[str, Any]:
        """Return what changes the numbers or the files, JSON-able: not the places of files, nor the device.

        Which keypoints it was is told by their shards.
        """
        return {
            "field_of_view": self.field_of_view,
            "formats": list(self.formats),
            "overlays": self.overlays,
            "batch_size": self.batch_size,
            "refine": None if self.refine is None else self.refine.model_dump(),
        }
