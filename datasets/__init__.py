"""The contracts between the parts: skeleton, cameras, readers, keypoint shards, packs. No torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2hand.datasets.keypoints import read_keypoints

__all__ = ["read_keypoints"]


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562), so that importing the package costs nothing.
    if name == "read_keypoints":
        from s2hand.datasets.keypoints import read_keypoints

        return read_keypoints
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
