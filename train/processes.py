"""Training shared by processes: each takes its part of every batch, and all take the same step.

`torchrun` starts them and says in the environment who is who. Gradients are averaged once per step, so that the
weights stay alike everywhere without ever being sent; a wish to stop travels along, so that all stop together.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """How many processes train together, and which of them this is."""

    rank: int = 0
    count: int = 1
    launcher: int | None = None  # process id of what has started them

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and shows."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:  # [..., B] -> [..., B / count]
        """This process' part of a batch's rows, or of anything that goes by its samples in the last dimension."""
        return rows.tensor_split(self.count, dim=-1)[self.rank]

    def average(self, tensors: list[Tensor]) -> None:
        """Replace each tensor, all of one type, by its mean over the processes, in one exchange."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def adopt_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by the first process' one."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def any(self, wish: bool, device: torch.device) -> bool:
        """Whether any of the processes says yes, or has lost its launcher, without which nobody could stop it."""
        if self.count == 1:
            return wish
        alone = self.launcher is not None and os.getppid() != self.launcher
        flag = torch.tensor(int(wish or alone), device=device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag)

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun has started this one with; alone where it has not."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if device.type == "cuda":  # pragma: no cover - needs a GPU
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Processes(dist.get_rank(), count, os.getppid())
    # Not after an error: the others wait for this process, and their launcher ends them.
    dist.destroy_process_group()
