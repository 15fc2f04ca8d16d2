"""The hands of some photographs: where they are, cut out, detected, as the rows of a shard."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, square_box
from s2hand.datasets.records import HANDS, Hand
from s2hand.datasets.rows import HandRow
from s2hand.datasets.shards import Failure, Source
from s2hand.detect.crops import cut_square, hand_square, is_whole
from s2hand.detect.detection import Detection
from s2hand.detect.detector import HandDetector
from s2hand.detect.localize import Localizer, WholeImage
from s2hand.detect.memory import is_out_of_memory
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
    square: Box  # in the photograph; what the shard reports
    crop: NDArray[np.uint8]  # [h, w, 3]
    corner: tuple[float, float]  # of the crop in the photograph as decoded


@dataclass(frozen=True)
class HandFinder:
    """A localizer and a detector, one after the other. Threads may share it."""

    detector: HandDetector
    localizer: Localizer
    box_scale: float = 1.0
    min_confidence: float = 0.0

    @property
    def enough(self) -> int | None:
        """Return how many pixels of a photograph's longer side suffice; None where every pixel counts."""
        whole = isinstance(self.localizer, WholeImage) and self.box_scale == 1
        return self.detector.estimator.enough if whole else None

    def find(self, group: Sequence[Loaded]) -> Group:
        """Find the hands of a group of photographs; one that can't be used is a failure and stops nothing."""
        result = Group([one.source for one in group])
        failed = {id(one): one.problem for one in group if one.image is None}
        readable = [(one, one.image) for one in group if one.image is not None]
        looks: list[Look] = []
        for (one, image), hands in zip(readable, self._locate(readable), strict=True):
            if isinstance(hands, ValueError):
                failed[id(one)] = str(hands)
                continue
            try:
                looks += [self._look(one, image, found) for found in hands]
            except ValueError as error:
                failed[id(one)] = str(error)
        answers = list(zip(looks, self._detect(looks), strict=True))
        failed |= {id(look.loaded): str(answer) for look, answer in answers if isinstance(answer, ValueError)}
        result.failures.extend(Failure(one.source.image, failed[id(one)]) for one in group if id(one) in failed)
        found = [(look, answer) for look, answer in answers if id(look.loaded) not in failed]
        result.rows.extend(self._rows(found))
        return result

    def _locate(self, readable: Sequence[tuple[Loaded, NDArray[np.uint8]]]) -> list[tuple[HandBox, ...] | ValueError]:
        """Find the hands of photographs: together, and one by one where the memory is too small for that."""
        images, names = [image for _, image in readable], [one.source.image for one, _ in readable]
        try:
            return [*self.localizer.locate(images, names)]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if len(readable) == 1:
            height, width = images[0].shape[:2]
            return [ValueError(f"image of {width} x {height} pixels: too large for the memory; scale it down")]
        return [hands for one in readable for hands in self._locate([one])]

    def _look(self, loaded: Loaded, image: NDArray[np.uint8], found: HandBox) -> Look:
        height, width = image.shape[:2]
        if self.box_scale == 1 and is_whole(found.box, width, height):
            return Look(loaded, found, square_box(loaded.width, loaded.height), image, (0.0, 0.0))
        assert loaded.reduce == 1, "only whole photographs are decoded smaller"
        square = hand_square(found.box, self.box_scale)
        return Look(loaded, found, square, cut_square(image, square), (square.x, square.y))

    def _rows(self, found: Sequence[tuple[Look, Detection | ValueError]]) -> list[HandRow]:
        """Number the hands of each photograph, without those that are none."""
        rows: list[HandRow] = []
        for look, detection in found:
            assert isinstance(detection, Detection)
            mean = float(detection.confidence.mean())
            if mean > 0 and mean >= self.min_confidence:
                before = rows[-1] if rows and rows[-1].image == look.loaded.source.image else None
                rows.append(_row(look, detection, 0 if before is None else before.hand_index + 1))
        return rows

    def _detect(self, looks: Sequence[Look]) -> list[Detection | ValueError]:
        """Detect right and left hands, each kind together, and put the answers back in order."""
        found: dict[int, Detection | ValueError] = {}
        for hand in HANDS:
            indices = [index for index, look in enumerate(looks) if look.found.hand == hand]
            found.update(zip(indices, self._answers([looks[index].crop for index in indices], hand), strict=True))
        return [found[index] for index in range(len(looks))]

    def _answers(self, crops: Sequence[NDArray[np.uint8]], hand: Hand) -> list[Detection | ValueError]:
        """Detect; where one crop can't be, as it is too large for the memory, say so for that one."""
        try:
            return [*self.detector.detect(crops, hand)]
        except ValueError as error:
            if len(crops) == 1:
                return [error]
            return [answer for crop in crops for answer in self._answers([crop], hand)]


def _row(look: Look, detection: Detection, index: int) -> HandRow:
    """Return the row of a hand, in the pixels of the photograph as it is in its file."""
    loaded = look.loaded
    xy = (detection.xy + look.corner) * loaded.reduce
    return HandRow(
        image=loaded.source.image,
        sha256=loaded.source.sha256,
        width=loaded.width,
        height=loaded.height,
        hand=look.found.hand,
        hand_index=index,
        box=look.square,
        keypoints=np.concatenate([xy, detection.confidence[:, None]], axis=1).astype(np.float32),
    )
