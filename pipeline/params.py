"""`params.yaml`, read into typed and checked parameters: every key has one reader, every unknown key is refused."""

import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from s2hand.datasets.settings import Settings
from s2hand.detect.settings import DetectSettings
from s2hand.pipeline.synthetic.settings import SyntheticSettings
from s2hand.train.settings import TrainSettings

PARAMS_FILE = Path("params.yaml")


class ParamsError(ValueError):
    """A parameter that is unknown, missing or of the wrong type; the message names its path."""


class FreiHandSettings(Settings):
    """What of FreiHAND is read."""

    versions: list[Literal["gs", "hom", "sample", "auto"]] | None = None
    """Of the training images: with which background; by default all that are there."""


class FolderSettings(Settings):
    """How a folder of anybody's photographs is read."""

    hand: Literal["right", "left"] = "right"
    """Which hand the photographs show; left ones are mirrored on the way in."""
    intrinsics: str | None = None
    """A JSON file inside the folder with K of each image, or one K for all."""
    exif: bool = True
    """Without that file: believe the focal length that a photograph's own file gives."""
    field_of_view_degrees: float = Field(default=50.0, gt=1.0, lt=170.0)
    """Where that says nothing either: the assumed field of view along the longer side of an image."""
    held_back: float = Field(default=0.1, gt=0.0, lt=1.0)
    """The share of the images that is kept out of training, for evaluation."""


class DataParams(Settings):
    """Where the images come from."""

    source: Literal["auto", "synthetic", "freihand", "ho3d", "folder"] = "auto"
    """How `input` is read; `auto`: told from what lies there."""
    input: str
    """What the data is made from, watched by DVC: the folder of photographs, the root of FreiHAND or HO-3D, or, for
    synthetic photographs, the file of the hand that they show."""
    synthetic: SyntheticSettings = SyntheticSettings()
    freihand: FreiHandSettings = FreiHandSettings()
    folder: FolderSettings = FolderSettings()


class PackParams(Settings):
    """How images and keypoints become training samples."""

    image_size: int = Field(ge=32, le=1024)
    """Pixels of a side of the square crop that the network sees."""
    crop: Literal["square", "keypoints"] = "square"
    """Around what: the square that the detector looked at, or the hand: the box that the data set gives for an
    evaluation image, else the trusted detections."""
    crop_scale: float = Field(default=1.0, ge=0.5, le=5.0)
    """The crop's side over the longer side of what it is cut around."""
    min_confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    """Training hands whose mean confidence is lower are left out; evaluation leaves out nothing."""


class EvaluateParams(Settings):
    """How the trained network is measured."""

    batch_size: int = Field(default=64, ge=1)
    """Hands at a time; on one device it changes no number but the last digits."""
    checkpoint: Literal["last", "best"] = "last"
    """Which epoch's weights: the last one's, or those of the epoch that agreed best with the held-back samples."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: the GPU if there is one."""


class Params(Settings):
    """All of params.yaml."""

    seed: int = Field(ge=0)
    """Of the synthetic photographs, the first weights, the order of the samples and the augmentation."""
    hand_model: str
    """The path of the hand model: the open hand's, or a licensed MANO file's."""
    data: DataParams
    detect: DetectSettings
    pack: PackParams
    train: TrainSettings
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _one_place_each(self) -> "Params":
        """Refuse the keys that the parts have for callers from Python, but that stand elsewhere in params.yaml."""
        elsewhere: tuple[tuple[str, BaseModel, str, str], ...] = (
            ("data.synthetic", self.data.synthetic, "seed", "seed"),
            ("detect", self.detect, "hand", "data.folder.hand"),
            ("train", self.train, "seed", "seed"),
        )
        for section, settings, key, place in elsewhere:
            if key in settings.model_fields_set:
                raise ValueError(f"{section}.{key}: set {place} instead; one key, one place")
        return self

    @model_validator(mode="after")
    def _files(self) -> "Params":
        """Refuse the names that commands take for the package's own files: DVC watches files, so here stand paths."""
        for key, value, name, path in (
            ("hand_model", self.hand_model, "open", "train/assets/open_hand.npz"),
            ("detect.weights", self.detect.weights, "slim", "detect/assets/slim.safetensors"),
        ):
            if value == name:
                raise ValueError(f"{key}: expected the path of a file, which DVC watches; for {name!r} write {path}")
        return self


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the parameters.

    Raises ParamsError with one line per wrong key: the file, the key's path, what was expected and what was found.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path}: not found; run this in the project's folder, beside params.yaml") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path}: expected keys and values, found {type(values).__name__}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = [f"{path}: {_explain(item, values)}" for item in error.errors(include_url=False)]
        raise ParamsError("\n".join(lines)) from None


def _explain(error: Any, values: dict[str, Any]) -> str:
    """Turn one of pydantic's errors into a line that names the key's path and what to do."""
    where = [str(part) for part in error["loc"]]
    key = ".".join(where)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggest(where)}; remove it or correct its name"
    if error["type"] == "missing":
        return f"{key}: missing; add it, as in the params.yaml that the project ships"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if key else str(error["ctx"]["error"])
    return f"{key}: {error['msg']}, found {error['input']!r}"


def _suggest(where: list[str]) -> str:
    """Return `, did you mean ...?` for a misspelt key, else nothing."""
    section: type[BaseModel] | None = Params
    for part in where[:-1]:
        field = section.model_fields.get(part) if section else None
        kind = field.annotation if field else None
        section = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    close = difflib.get_close_matches(where[-1], section.model_fields if section else ())
    return f", did you mean {close[0]}?" if close else ""
