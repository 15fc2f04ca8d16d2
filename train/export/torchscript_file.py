"""The network as a TorchScript file, which PyTorch runs from C++ and Python without this package, on the CPU.

PyTorch has deprecated TorchScript, and says so at each call; it still writes and reads it.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from s2hand.train.export.network import FlatNetwork, draw_crops

METADATA = "about.json"
"""The file inside the TorchScript file that says what it is."""


def write_torchscript(network: FlatNetwork, size: int, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the network for crops of `size` pixels, any number at a time; `metadata` as JSON inside."""
    with _deprecated(), torch.no_grad():
        # The shapes that are checked on the way hold for every batch.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced = torch.jit.trace(network, draw_crops(2, size), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path, {METADATA: json.dumps(dict(metadata))})


def run_torchscript(path: Path) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """Return what the file computes: images and K to the tensors of `OUTPUTS`."""
    with _deprecated():
        loaded = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]

    def run(images: Tensor, K: Tensor) -> list[Tensor]:
        with torch.no_grad():
            return list(loaded(images, K))

    return run


@contextmanager
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", Warning)
        yield
