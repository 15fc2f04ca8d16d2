"""Read COCO files: images, annotations, and which hand an annotation shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError
from s2hand.datasets.records import HANDS, Hand

_JOINTS = frozenset({"keypoints", *(f"{hand}hand_kpts" for hand in HANDS)})
_KEPT = _JOINTS | {"id", "image_id", "category_id", "scores", "bbox", "hand", "attributes"}
_KEPT |= {f"{hand}hand_{what}" for hand in HANDS for what in ("box", "valid")}


@dataclass(frozen=True)
class CocoImage:
    """An image that a COCO file lists."""

    name: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class CocoFile:
    """What a COCO file holds: of its annotations what is used, numbers as arrays.

    An array of joints is empty where all its numbers are 0, which says: not labelled.
    """

    path: Path
    images: Mapping[object, CocoImage]  # by id
    categories: Mapping[object, Mapping[str, Any]]  # by id
    annotations: list[dict[str, Any]]

    def image_of(self, annotation: Mapping[str, Any]) -> CocoImage:
        """Return the image that an annotation is of; `DataError` if the file lists none."""
        number = annotation.get("image_id")
        found = self.images.get(number) if isinstance(number, int | str) else None
        if found is None:
            self.refuse(annotation, f"image_id {number!r} is not among the images")
        return found

    def hand_of(self, annotation: Mapping[str, Any]) -> Hand | None:
        """Return which hand an annotation says it shows: by its `hand`, its `attributes`, or its category's name."""
        category = self.categories.get(annotation.get("category_id"), {})
        attributes = annotation.get("attributes")
        said = (annotation.get("hand"), attributes.get("hand") if isinstance(attributes, dict) else None)
        for value in said:
            if value is not None and value not in HANDS:
                self.refuse(annotation, f"hand: expected right or left, found {value!r}")
        named = [hand for hand in HANDS if hand in str(category.get("name", "")).lower()]
        found = next((value for value in said if value is not None), named[0] if len(named) == 1 else None)
        return cast("Hand | None", found)

    def refuse(self, annotation: Mapping[str, Any], problem: str) -> NoReturn:
        """Raise a `DataError` that names the file and the annotation."""
        raise DataError(f"{self.path}: annotation {annotation.get('id')!r}: {problem}")


def read_coco(path: Path) -> CocoFile:
    """Read a COCO file. Its text and the annotations' numbers are held in memory: about 3 kB a hand.

    Raises:
        DataError: the file is missing, not JSON, or has no images, annotations and categories.
    """
    try:
        text = path.read_text("utf-8")
        value = json.loads(text, object_hook=_compact)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8 or not JSON
        raise DataError(f"{path}: not valid JSON ({error}); restore the file") from error
    lists = [value.get(key) if isinstance(value, dict) else None for key in ("images", "annotations", "categories")]
    if not all(isinstance(items, list) and all(isinstance(item, dict) for item in items) for items in lists):
        raise DataError(f"{path}: not a COCO file: expected the lists images, annotations and categories")
    images, annotations, categories = cast("list[list[dict[str, Any]]]", lists)
    try:
        listed = {
            image["id"]: CocoImage(str(image["file_name"]), image.get("width"), image.get("height")) for image in images
        }
        return CocoFile(path, listed, {category["id"]: category for category in categories}, annotations)
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: an image or category lacks {error}") from error


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    """Reduce an annotation to what is used, numbers as arrays, as soon as it is read: as it comes it is large."""
    if "image_id" not in value:
        return value
    kept = {name: part for name, part in value.items() if name in _KEPT}
    for name in kept.keys() & (_JOINTS | {"scores"}):
        array = _array(kept[name])
        kept[name] = array if name == "scores" or array.any() else np.empty(0)
    return kept


def _array(value: Any) -> NDArray[np.float64]:
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        return np.full(1, np.nan)  # whoever needs it finds the wrong shape
