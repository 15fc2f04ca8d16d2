"""Samples to a trained model: hand model, renderer, networks, losses, metrics, the training loop.

What others call: `load_hand_model`, `render`, `evaluate_hands`. They are loaded when they are first asked for,
so that importing this costs nothing and worker processes that only draw never load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

# Not by `__getattr__`: importing any module of the package `render` would put the package in the function's place.
# The function loads torch when it is called.
from s2hand.train.render import render

if TYPE_CHECKING:
    from s2hand.train.mano import load_hand_model
    from s2hand.train.metrics import evaluate_hands

__all__ = ["evaluate_hands", "load_hand_model", "render"]

_HOMES = {"evaluate_hands": "s2hand.train.metrics", "load_hand_model": "s2hand.train.mano"}


def __getattr__(name: str) -> object:
    """Import what is asked for, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
