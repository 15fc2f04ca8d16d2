"""Depthwise convolutions with a quick backward pass on CPU.

oneDNN has fast depthwise kernels for channels-last tensors, with two gaps that cost most of EfficientNet's
backward pass on CPU: the weight gradient of 5 x 5 filters, and, in bfloat16, the input gradient of strided
ones (measured: 3 to 60 times slower than the loops below). `DepthwiseConv2d` fills these gaps; its values are
those of `torch.nn.functional.conv2d`, the readable twin, up to the order of additions.

The loops release the interpreter and run in plain threads, not in numba's: those wait by spinning, and keep
torch's own threads from their cores. Every sum runs in an order that does not depend on the number of
threads: results repeat bit by bit.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

CHUNKS = 8  # parts of the batch that are computed apart: enough for 8 threads, whatever their number


@njit(nogil=True, fastmath={"contract"}, cache=True)
def _weight_gradient(
    x: NDArray[np.float32],
    grad: NDArray[np.float32],
    size: int,
    stride: int,
    padding: int,
    out: NDArray[np.float32],
) -> None:
    """Add the weight gradient of some samples to out [size * size, C]."""
    batch, height, width, channels = x.shape
    for b in range(batch):
        for v in range(grad.shape[1]):
            top = v * stride - padding
            for i in range(max(0, -top), min(size, height - top)):
                for u in range(grad.shape[2]):
                    left = u * stride - padding
                    for j in range(max(0, -left), min(size, width - left)):
                        sums = out[i * size + j]
                        pixel, slope = x[b, top + i, left + j], grad[b, v, u]
                        for c in range(channels):
                            sums[c] += pixel[c] * slope[c]


@njit(nogil=True, fastmath={"contract"}, cache=True)
def _input_gradient(
    grad: NDArray[np.float32],
    weight: NDArray[np.float32],
    size: int,
    stride: int,
    padding: int,
    out: NDArray[np.float32],
) -> None:
    """Add the input gradient of some samples to out [B, H, W, C]; weight [size * size, C]."""
    batch, height, width, channels = out.shape
    for b in range(batch):
        for v in range(grad.shape[1]):
            top = v * stride - padding
            for i in range(max(0, -top), min(size, height - top)):
                for u in range(grad.shape[2]):
                    left = u * stride - padding
                    for j in range(max(0, -left), min(size, width - left)):
                        pixel, slope = out[b, top + i, left + j], grad[b, v, u]
                        tap = weight[i * size + j]
                        for c in range(channels):
                            pixel[c] += tap[c] * slope[c]


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "depthwise")


def _for_each_chunk(work: Callable[[int, slice], None], batch: int) -> None:
    """Call work(chunk, samples) for every chunk of the batch, on as many threads as torch may use."""
    chunks = [slice(n * batch // CHUNKS, (n + 1) * batch // CHUNKS) for n in range(CHUNKS)]
    threads = torch.get_num_threads()
    run = map if threads == 1 else _threads(threads).map
    list(run(work, range(CHUNKS), chunks))


def _rows(x: Tensor) -> NDArray[np.float32]:
    """[B, C, H, W] of any dtype -> [B, H, W, C] float32, contiguous, without a copy where none is needed."""
    array: NDArray[np.float32] = x.float().permute(0, 2, 3, 1).contiguous().numpy()
    return array


def weight_gradient(x: Tensor, grad: Tensor, size: int, stride: int) -> Tensor:
    """Gradient of a depthwise convolution with respect to its weight.

    x [B, C, H, W] is the input, grad [B, C, h, w] the gradient at the output; padding is size // 2.
    Returns [C, 1, size, size] float32.
    """
    channels = x.shape[1]
    out = np.zeros((CHUNKS, size * size, channels), np.float32)
    inputs, slopes = _rows(x), _rows(grad)

    def work(chunk: int, samples: slice) -> None:
        _weight_gradient(inputs[samples], slopes[samples], size, stride, size // 2, out[chunk])

    _for_each_chunk(work, len(inputs))
    return torch.from_numpy(out.sum(0).T.copy()).view(channels, 1, size, size)


def input_gradient(grad: Tensor, weight: Tensor, stride: int, height: int, width: int) -> Tensor:
    """Gradient of a depthwise convolution with respect to its input of `height` x `width`.

    grad [B, C, h, w] is the gradient at the output, weight [C, 1, k, k]; padding is k // 2.
    Returns [B, C, height, width] float32, channels last in memory.
    """
    batch, channels = grad.shape[:2]
    size = weight.shape[-1]
    taps = weight.float().view(channels, size * size).T.contiguous().numpy()
    out = np.zeros((batch, height, width, channels), np.float32)
    slopes = _rows(grad)

    def work(chunk: int, samples: slice) -> None:
        _input_gradient(slopes[samples], taps, size, stride, size // 2, out[samples])

    _for_each_chunk(work, batch)
    return torch.from_numpy(out).permute(0, 3, 1, 2)


class _Depthwise(torch.autograd.Function):
    """conv2d with groups = channels and padding = size // 2; see the module's docstring for the backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        (grad,) = grads
        stride, size = ctx.stride, weight.shape[-1]
        own_input = stride > 1 and ctx.needs_input_grad[0]
        own_weight = size > 3 and ctx.needs_input_grad[1]
        mask = [ctx.needs_input_grad[0] and not own_input, ctx.needs_input_grad[1] and not own_weight, False]
        padding = [size // 2] * 2
        x_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride] * 2, padding, [1, 1], False, [0, 0], x.shape[1], mask
        )
        if own_input:
            x_grad = input_gradient(grad, weight, stride, *x.shape[2:]).to(x.dtype)
        if own_weight:
            weight_grad = weight_gradient(x, grad, size, stride).to(weight.dtype)
        return x_grad, weight_grad, None


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise `nn.Conv2d` (no bias, padding = size // 2) whose backward pass is quick on CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / stride, W / stride], in autocast's dtype where that is on."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            y: Tensor = _Depthwise.apply(x.to(dtype), self.weight.to(dtype), self.stride[0])
        return y
