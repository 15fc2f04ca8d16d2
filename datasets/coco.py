"""Read COCO files: images, annotations, and which hand an annotation shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, read_json
from s2hand.datasets.records import HANDS, Hand

_JOINTS = frozenset({"keypoints", *(f"{hand}hand_kpts" for hand in HANDS)})
_KEPT = _JOINTS | {"id", "image_id", "category_id", "scores", "bbox", "hand", "attributes"}
_KEPT |= {f"{hand}hand_{what}" for hand in HANDS for what in ("box", "valid")}

_ID = int | float | str
"""What may be an id. Other values of JSON can't be looked up."""


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
        found = self.images.get(number) if isinstance(number, _ID) else None
        if found is None:
            self.refuse(annotation, f"image_id {number!r} is not among the images")
        return found

    def hand_of(self, annotation: Mapping[str, Any]) -> Hand | None:
        """Return which hand an annotation says it shows: by its `hand`, its `attributes`, or its category's name."""
        number = annotation.get("category_id")
        if number is not None and not isinstance(number, _ID):
            self.refuse(annotation, f"category_id: expected a number or text, found {number!r}")
        category = self.categories.get(number, {})
        attributes = annotation.get("attributes")
        said = (annotation.get("hand"), attributes.get("hand") if isinstance(attributes, dict) else None)
        for value in said:
            if value is not None and value not in HANDS:
                self.refuse(annotation, f"hand: expected right or left, found {value!r}")
        named = [hand for hand in HANDS if hand in str(category.get("name", "")).lower()]
        found = next((value for value in said if value is not None), named[0] if len(named) == 1 else None)
        return cast("Hand | None", found)

    def label_of(self, annotation: Mapping[str, Any]) -> str:
        """Name an annotation for the user: by its id, or where it has none by its place in the list."""
        if annotation.get("id") is not None:
            return f"annotation {annotation['id']!r}"
        return _nth("annotation", next(place for place, one in enumerate(self.annotations) if one is annotation))

    def refuse(self, annotation: Mapping[str, Any], problem: str) -> NoReturn:
        """Raise a `DataError` that names the file and the annotation."""
        raise DataError(f"{self.path}: {self.label_of(annotation)}: {problem}")


def read_coco(path: Path) -> CocoFile:
    """Read a COCO file. Its text and the annotations' numbers are held in memory: about 3 kB a hand.

    Raises:
        DataError: the file is missing, not JSON, or has no images, annotations and categories; or an image or category
            has no id, or an image no name.
    """
    value = read_json(path, _compact)
    lists = [value.get(key) if isinstance(value, dict) else None for key in ("images", "annotations", "categories")]
    if not all(isinstance(items, list) and all(isinstance(item, dict) for item in items) for items in lists):
        raise DataError(f"{path}: not a COCO file: expected the lists images, annotations and categories")
    images, annotations, categories = cast("list[list[dict[str, Any]]]", lists)
    listed: dict[object, CocoImage] = {
        _field(path, "image", place, image, "id"): CocoImage(
            str(_field(path, "image", place, image, "file_name")), image.get("width"), image.get("height")
        )
        for place, image in enumerate(images)
    }
    named: dict[object, dict[str, Any]] = {
        _field(path, "category", place, category, "id"): category for place, category in enumerate(categories)
    }
    return CocoFile(path, listed, named, annotations)


def _field(path: Path, kind: str, place: int, item: Mapping[str, Any], field: str) -> float | str:
    """Return an id or a name of an image or category; the `place` in its list says which it is when it is wrong."""
    value = item.get(field)
    if isinstance(value, _ID):
        return value
    found = repr(value) if field in item else "no such field"
    raise DataError(f"{path}: {_nth(kind, place)}: {field}: expected a number or text, found {found}")


def _nth(kind: str, place: int) -> str:
    return f"{kind} no. {place + 1} of the list"


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
    except (TypeError, ValueError, OverflowError):
        return np.full(1, np.nan)  # whoever needs it finds the wrong shape
