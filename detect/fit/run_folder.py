"""The folder of a training run: its checkpoint, the history of its measurements, and the weights so far."""

import csv
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from s2hand.datasets.files import DataError, digest, replacing
from s2hand.detect.blocks import stored_tensors
from s2hand.detect.fit.settings import RunSettings

Row = Mapping[str, float]


@dataclass(frozen=True)
class Provenance:
    """What weights were made of, for their metadata."""

    settings: RunSettings
    data: str  # name of the data set
    labels_sha256: str  # of the training labels
    start_sha256: str | None = None  # of the weight file that training started from; None: from fresh weights

    @property
    def digest(self) -> str:
        """Tell runs apart that can't go on from each other; the number of threads and the length do not count."""
        values = self.settings.model_dump(mode="json", exclude={"workers", "samples"})
        return digest([values, self.data, self.labels_sha256, self.start_sha256])


class RunFolder:
    """Reads and writes the files of one run: `checkpoint.pt`, `history.csv`, and the weights, `NAME.safetensors`."""

    def __init__(self, folder: Path, name: str, provenance: Provenance) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = name
        self._provenance = provenance

    @property
    def weights(self) -> Path:
        """Where the weights are, from the first measurement on."""
        return self.folder / f"{self._name}.safetensors"

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self, state: Mapping[str, Any], history: Sequence[Row]) -> None:
        """Write the checkpoint (tensors and plain values only) and the history."""
        with replacing(self._checkpoint) as temporary:
            torch.save({"run": self._provenance.digest, "history": list(history), **state}, temporary)
        with (
            replacing(self.folder / "history.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, list(history[0]))
            writer.writeheader()
            writer.writerows(history)

    def load(self) -> dict[str, Any] | None:
        """Return the checkpoint, or None if there is none; `DataError` if it is of another run or broken."""
        if not self._checkpoint.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise DataError(f"{self._checkpoint}: not a whole checkpoint; delete it to start again") from error
        if state["run"] != self._provenance.digest:
            raise DataError(f"{self.folder}: holds a run with other settings or data; give another folder or delete it")
        return state

    def export(self, network: nn.Module, kind: str, texts: Mapping[str, str], metrics: Row, samples: int) -> None:
        """Write the weights as float16, with what they were made of and how well they do.

        kind: the network, as `detect.weights` tells it; texts: JSON values that inference needs, by name.
        """
        tensors: dict[str, Tensor] = {
            name: tensor.detach().half().contiguous() for name, tensor in stored_tensors(network).items()
        }
        made_of = self._provenance
        metadata = {
            "network": kind,
            "version": version("s2hand"),
            **texts,
            "settings": made_of.settings.model_dump_json(exclude={"workers"}),
            "run_sha256": made_of.digest,
            "data": made_of.data,
            "labels_sha256": made_of.labels_sha256,
            "start_sha256": made_of.start_sha256 or "none",
            "samples_seen": str(samples),
            "validation": json.dumps({name: round(value, 4) for name, value in metrics.items()}),
        }
        with replacing(self.weights) as temporary:
            temporary.write_bytes(save(tensors, metadata))
