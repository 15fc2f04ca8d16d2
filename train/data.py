"""Training samples on their device: the whole pack in memory where it fits, else read by worker processes."""

import hashlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from s2hand.datasets.files import digest
from s2hand.datasets.packs import Pack
from s2hand.train.augment import Batch

log = logging.getLogger(__name__)

_READ = 256  # rows read at a time while loading

Arrays = tuple[Tensor, Tensor, Tensor]  # images [B, S, S, 3] uint8, K [B, 3, 3], keypoints [B, 21, 3]


class TrainingData:
    """The samples of a pack, in batches on `device`.

    Images of up to `memory_gb` in all are kept on the device as bytes; `auto` is half of what is free there.
    Otherwise `workers` processes read them, some batches ahead.
    """

    def __init__(self, path: Path, device: torch.device, memory_gb: float | Literal["auto"], workers: int) -> None:
        self.pack = Pack(path)
        self.device, self.workers = device, workers
        self.size = self.pack.size
        limit = free_memory(device) / 2 if memory_gb == "auto" else memory_gb * 1e9
        need = len(self.pack) * self.size**2 * 3
        self.in_memory = need <= limit
        self._arrays = self._load() if self.in_memory else None
        self._loader: DataLoader[Arrays] | None = None
        self._order: _Order
        where = f"held in the memory of {device}" if self.in_memory else f"read by {workers} processes"
        log.info("%d crops of %d px, %.2f GB: %s", len(self), self.size, need / 1e9, where)

    def __len__(self) -> int:
        return len(self.pack)

    def digest(self) -> str:
        """What tells this data from other data: the provenance that the pack carries, its length and size."""
        return digest([self.pack.sources, self.pack.parameters, len(self), self.size])

    def names(self, rows: Tensor) -> list[str]:
        """The image names of some rows."""
        names = self.pack.names()
        return [names[row] for row in rows.tolist()]

    def batch(self, rows: Tensor) -> Batch:
        """The samples of `rows` [B], in that order; images channels-last, in [0, 1]."""
        return self._batch(self._in_memory(rows) if self._arrays is not None else read_rows(self.pack, rows), rows)

    def batches(self, order: Tensor) -> Iterator[Batch]:
        """The batches of the rows `order` [steps, B], one after the other."""
        if self._arrays is not None:
            yield from map(self.batch, order)
            return
        if self._loader is None:
            self._order, self._loader = self._start_workers()
        self._order.rows = order
        for arrays, rows in zip(self._loader, order, strict=True):
            yield self._batch(arrays, rows)

    def _start_workers(self) -> tuple["_Order", DataLoader[Arrays]]:
        """Processes that read batches ahead, kept from epoch to epoch."""
        order = _Order(torch.empty(0, 0, dtype=torch.long))
        # They start anew, as a fork of a process with threads may hang; nothing here draws, so nothing may seem to.
        loader: DataLoader[Arrays] = DataLoader(
            _Batches(self.pack),
            sampler=order,
            batch_size=None,
            num_workers=self.workers,
            multiprocessing_context="spawn",
            persistent_workers=True,
            worker_init_fn=_leave_interrupts,
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
        )
        return order, loader

    def _load(self) -> Arrays:
        count = len(self.pack)
        parts = [
            [tensor.to(self.device) for tensor in read_rows(self.pack, torch.arange(start, min(start + _READ, count)))]
            for start in range(0, count, _READ)
        ]
        self.pack.close()
        images, K, keypoints = (torch.cat(columns) for columns in zip(*parts, strict=True))
        return images, K, keypoints

    def _in_memory(self, rows: Tensor) -> Arrays:
        assert self._arrays is not None
        there = rows.to(self.device)
        images, K, keypoints = (column[there] for column in self._arrays)
        return images, K, keypoints

    def _batch(self, arrays: Arrays, rows: Tensor) -> Batch:
        images, K, keypoints = (column.to(self.device, non_blocking=True) for column in arrays)
        pictures = images.permute(0, 3, 1, 2).float() / 255
        return Batch(pictures, pictures, K, keypoints, rows)


class _Batches(Dataset[Arrays]):
    """Batches of a pack's rows, for worker processes."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def __getitem__(self, rows: Tensor) -> Arrays:
        return read_rows(self.pack, rows)


class _Order(Sampler[Tensor]):
    """The rows [steps, B] of an epoch's batches."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.rows)


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; only the one that trains should act on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read_rows(pack: Pack, rows: Tensor) -> Arrays:
    """Images, K and keypoints of some rows of a pack, on the CPU."""
    read = pack.rows(rows.numpy())
    images, K, keypoints = (torch.from_numpy(array) for array in (read.images, read.K, read.keypoints))
    return images, K, keypoints


def free_memory(device: torch.device) -> float:
    """Bytes that are free on a device: of the CPU's memory, this process' share among those of one machine."""
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available) / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def generator(*keys: int) -> torch.Generator:
    """A CPU generator that depends on the keys only, and differently on each: seed, epoch, step."""
    text = " ".join(map(str, keys))
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1
    return torch.Generator().manual_seed(seed)


def epoch_order(count: int, batch_size: int, seed: int, epoch: int) -> Tensor:
    """The rows of an epoch's batches, [count // batch_size, batch_size]: each row once, the rest left out."""
    steps = count // batch_size
    order = torch.randperm(count, generator=generator(seed, epoch))
    return order[: steps * batch_size].view(steps, batch_size)
