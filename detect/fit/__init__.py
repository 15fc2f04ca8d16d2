"""Training of the slim network on any data set with 2D labels: `fit(settings, data, out, progress)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2hand.detect.fit.loop import fit
    from s2hand.detect.fit.settings import FitSettings
    from s2hand.detect.fit.training import FitSummary

__all__ = ["FitSettings", "FitSummary", "fit"]

_MODULES = {"FitSettings": "settings", "FitSummary": "training", "fit": "loop"}


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562), so that the command line answers before torch is there.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
