"""Images to confidence-weighted 2D keypoints of hands: networks, weights, peaks, the sharded run.

`HandDetector.load("slim").detect(images)` for arrays, `run_detection` for folders.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2hand.detect.detector import Detection, HandDetector
    from s2hand.detect.run import Summary, run_detection
    from s2hand.detect.settings import DetectSettings

__all__ = ["DetectSettings", "Detection", "HandDetector", "Summary", "run_detection"]

_MODULES = {
    "DetectSettings": "settings",
    "Detection": "detector",
    "HandDetector": "detector",
    "Summary": "run",
    "run_detection": "run",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562), so that the command line answers before torch is there.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
