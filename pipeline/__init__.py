"""The stages that DVC runs, their typed parameters, synthetic photographs, evaluation and the command line.

What others call: `Reconstructor`, which gives a `Reconstruction` of each hand, and `read_hands`. They are loaded when
they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2hand.pipeline.reconstruct.reconstruction import Reconstruction
    from s2hand.pipeline.reconstruct.reconstructor import Reconstructor
    from s2hand.pipeline.reconstruct.store import read_hands

__all__ = ["Reconstruction", "Reconstructor", "read_hands"]

_HOMES = {
    "Reconstruction": "s2hand.pipeline.reconstruct.reconstruction",
    "Reconstructor": "s2hand.pipeline.reconstruct.reconstructor",
    "read_hands": "s2hand.pipeline.reconstruct.store",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, once (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: Any = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
