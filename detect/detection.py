"""What a detector returns for one hand, and what a network must offer to be one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.skeleton import JOINT_COUNT


@dataclass(frozen=True)
class Detection:
    """The 21 keypoints of one hand, in the order of `skeleton.JOINT_NAMES`.

    Pixels are continuous: the centre of the image's first pixel is (0.5, 0.5). A joint that was not found has
    confidence 0 and NaN coordinates.

    Examples:
        >>> import numpy as np
        >>> from s2hand.detect import Detection
        >>> hand = Detection.from_peaks(np.full((21, 2), 8.5), np.linspace(0.0, 1.0, 21))
        >>> hand.xy[0], hand.xy[1], hand.confidence[20]
        (array([nan, nan], dtype=float32), array([8.5, 8.5], dtype=float32), np.float32(1.0))
    """

    xy: NDArray[np.float32]  # [21, 2] pixels
    confidence: NDArray[np.float32]  # [21] in [0, 1]

    def __post_init__(self) -> None:
        if self.xy.shape != (JOINT_COUNT, 2) or self.confidence.shape != (JOINT_COUNT,):
            raise ValueError(
                f"Detection: expected xy {(JOINT_COUNT, 2)} and confidence {(JOINT_COUNT,)}, "
                f"found {self.xy.shape} and {self.confidence.shape}"
            )
        if not np.all((self.confidence >= 0) & (self.confidence <= 1)):
            raise ValueError(f"Detection.confidence: expected values in [0, 1], found {self.confidence}")
        if np.any(np.isfinite(self.xy).all(axis=1) != (self.confidence > 0)):
            raise ValueError("Detection: expected NaN coordinates exactly where the confidence is 0")

    @classmethod
    def from_peaks(
        cls,
        xy: NDArray[np.floating],  # [21, 2] pixels
        confidence: NDArray[np.floating],  # [21], any values
    ) -> "Detection":
        """Clip the confidences to [0, 1] and blank the coordinates where nothing is left of them."""
        clipped = np.clip(confidence, 0, 1).astype(np.float32)
        return cls(np.where(clipped[:, None] > 0, xy, np.nan).astype(np.float32), clipped)


class KeypointEstimator(Protocol):
    """A network with what surrounds it: images of right hands in, detections out.

    `detector.HandDetector` does the rest for all of them alike: it checks the images, mirrors left hands,
    and makes the batches.
    """

    @property
    def name(self) -> str:
        """Name the network, for the records: 'openpose' or 'slim'."""

    @property
    def weights_sha256(self) -> str:
        """Return the digest of the weight file's bytes."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the JSON-able settings that change results; not the device, not the batch size."""

    @property
    def batch_size(self) -> int:
        """Return how many images to hand over at a time."""

    @property
    def enough(self) -> int | None:
        """Return how many pixels of an image's longer side suffice, if more are only averaged; None if they are not."""

    def bucket(self, shape: tuple[int, ...]) -> Hashable:
        """Say which images go together: those of a batch must be alike in this; `shape` is an image's [H, W, 3]."""

    def estimate(
        self,
        images: Sequence[NDArray[np.uint8]],  # each [H, W, 3] RGB, C-contiguous, all of one bucket
    ) -> list[Detection]:
        """Detect one hand in each image; pixels are those of the image handed over. Threads may call it at once."""
