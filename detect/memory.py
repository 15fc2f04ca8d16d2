"""Batches that fit the memory: one that does not is halved, and so are all that follow."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_LOG = logging.getLogger(__name__)
_MESSAGES = ("DefaultCPUAllocator", "not enough memory", "STATUS_ALLOC_FAILED")  # of errors that are RuntimeErrors only


class Batches:
    """Cuts work into batches, smaller ones once the memory did not suffice. Threads may share it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def process(self, call: Callable[[Sequence[Item]], Sequence[Answer]], items: Sequence[Item]) -> list[Answer]:
        """Call with a batch after the other, and collect the answers, one per item.

        A batch of one that does not fit is an error: what `call` raised.
        """
        answers: list[Answer] = []
        while len(answers) < len(items):
            batch = items[len(answers) : len(answers) + self.size]
            try:
                answers += call(batch)
            except (RuntimeError, MemoryError) as error:
                if len(batch) == 1 or not is_out_of_memory(error):
                    raise
            else:
                continue
            self._halve(len(batch))  # after the error is gone, which holds the memory of what failed
        return answers

    def _halve(self, failed: int) -> None:
        if failed // 2 < self.size:
            self.size = failed // 2
            _LOG.warning("out of memory with %d images at a time: going on with %d", failed, self.size)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory did not suffice, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)
