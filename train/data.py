"""Training samples on their device: the whole pack in memory where it fits, else read batch by batch."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s2hand.datasets.files import digest
from s2hand.datasets.packs import Pack, Rows
from s2hand.train.augment import Batch

_READ = 256  # rows read at a time while loading


class TrainingData:
    """The samples of a pack, in batches on `device`.

    Images of up to `memory_gb` in all are kept on the device as bytes. Raises ValueError where no sample has
    a keypoint.
    """

    def __init__(self, path: Path, device: torch.device, memory_gb: float) -> None:
        self.pack = Pack(path)
        self.device = device
        self.size = self.pack.size
        self.in_memory = len(self.pack) * self.size**2 * 3 <= memory_gb * 1e9
        images, K, keypoints = [], [], []
        for start in range(0, len(self.pack), _READ) if self.in_memory else ():
            rows = self.pack.rows(np.arange(start, min(start + _READ, len(self.pack))))
            images.append(torch.from_numpy(rows.images).to(device))
            K.append(rows.K)
            keypoints.append(rows.keypoints)
        if self.in_memory:
            self._images = torch.cat(images)
            self._K = torch.from_numpy(np.concatenate(K)).to(device)
            self._keypoints = torch.from_numpy(np.concatenate(keypoints)).to(device)
            self.pack.close()

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
        if self.in_memory:
            there = rows.to(self.device)
            images, K, keypoints = self._images[there], self._K[there], self._keypoints[there]
        else:
            read: Rows = self.pack.rows(rows.numpy())
            arrays = (read.images, read.K, read.keypoints)
            images, K, keypoints = (torch.from_numpy(array).to(self.device) for array in arrays)
        return Batch(images.permute(0, 3, 1, 2).float() / 255, K, keypoints, rows)


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
