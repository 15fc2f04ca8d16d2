"""The hands of some photographs: where they are, cut out, detected, as the rows of a shard."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.records import HANDS
from s2hand.datasets.rows import HandRow
from s2hand.datasets.shards import Failure, Source
from s2hand.detect.crops import cut_square, is_whole, looked_at
from s2hand.detect.detection import Detection
from s2hand.detect.detector import HandDetector
from s2hand.detect.localize import Localizer
from s2hand.detect.prefetch import Loaded


@dataclass(frozen=True)
class Group:
    """What was found in some photographs of one shard."""

    sources: list[Source] = field(default_factory=list)
    rows: list[HandRow] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Look:
    """One hand to look for: its photograph, which hand it is, and the pixels to look at."""

    loaded: Loaded
    found: HandBox
    square: Box  # in the photograph as decoded; what the shard reports
    crop: NDArray[np.uint8]  # [h, w, 3]
    corner: tuple[float, float]  # of the crop in the photograph


@dataclass(frozen=True)
class HandFinder:
    """A localizer and a detector, one after the other. Threads may share it."""

    detector: HandDetector
    localizer: Localizer
    box_scale: float = 1.0
    min_confidence: float = 0.0

    def find(self, group: Sequence[Loaded]) -> Group:
        """Find the hands of a group of photographs; one that can't be used is a failure and stops nothing."""
        result = Group([one.source for one in group])
        readable = [(one, one.image) for one in group if one.image is not None]
        result.failures.extend(Failure(one.source.image, one.problem) for one in group if one.image is None)
        located = self.localizer.locate([image for _, image in readable], [one.source.image for one, _ in readable])
        looks: list[Look] = []
        for (one, image), hands in zip(readable, located, strict=True):
            try:
                looks += [self._look(one, image, found) for found in hands]
            except ValueError as error:
                looks = [look for look in looks if look.loaded is not one]
                result.failures.append(Failure(one.source.image, str(error)))
        result.rows.extend(self._rows(looks))
        return result

    def _look(self, loaded: Loaded, image: NDArray[np.uint8], found: HandBox) -> Look:
        height, width = image.shape[:2]
        square = looked_at(found.box, width, height, self.box_scale)
        if is_whole(found.box, width, height):
            return Look(loaded, found, square, image, (0.0, 0.0))
        return Look(loaded, found, square, cut_square(image, square), (square.x, square.y))

    def _rows(self, looks: Sequence[Look]) -> list[HandRow]:
        """Detect, and number the hands of each photograph that are left."""
        rows: list[HandRow] = []
        for look, detection in zip(looks, self._detect(looks), strict=True):
            mean = float(detection.confidence.mean())
            if mean > 0 and mean >= self.min_confidence:
                before = rows[-1] if rows and rows[-1].image == look.loaded.source.image else None
                rows.append(_row(look, detection, 0 if before is None else before.hand_index + 1))
        return rows

    def _detect(self, looks: Sequence[Look]) -> list[Detection]:
        """Detect right and left hands, each kind together, and put the answers back in order."""
        found: dict[int, Detection] = {}
        for hand in HANDS:
            indices = [index for index, look in enumerate(looks) if look.found.hand == hand]
            answers = self.detector.detect([looks[index].crop for index in indices], hand)
            found.update(zip(indices, answers, strict=True))
        return [found[index] for index in range(len(looks))]


def _row(look: Look, detection: Detection, index: int) -> HandRow:
    """Return the row of a hand, in the pixels of the photograph as it is in its file."""
    loaded = look.loaded
    assert loaded.image is not None
    reduced = loaded.image.shape
    ratio = np.array([loaded.width / reduced[1], loaded.height / reduced[0]])
    xy = (detection.xy + look.corner) * ratio
    box = look.square
    if reduced[:2] != (loaded.height, loaded.width):
        box = looked_at(Box(0, 0, loaded.width, loaded.height), loaded.width, loaded.height)
    return HandRow(
        image=loaded.source.image,
        sha256=loaded.source.sha256,
        width=loaded.width,
        height=loaded.height,
        hand=look.found.hand,
        hand_index=index,
        box=box,
        keypoints=np.concatenate([xy, detection.confidence[:, None]], axis=1).astype(np.float32),
    )
