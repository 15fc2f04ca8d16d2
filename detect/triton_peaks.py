"""The peaks of maps on a GPU: connected components by union-find, all maps at once; the results are those of `peaks`.

A label is the index of a pixel of the same component, never a later one; a pixel that is its own label is a root.

1. Each pixel above the threshold is labelled with the first pixel of its run in the row.
2. Where runs of neighbouring rows touch, the roots of both are joined: the later one is labelled with the earlier one.
3. Each pixel is labelled with its root, which is its component's first pixel in reading order, and adds its value to
   the root's sum. The sums are of integers, so that they don't depend on the order in which threads add.

PyTorch does the rest: the root with the largest sum, and the highest value among the pixels with its label.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256
FRACTION = 2.0**32  # of the sums' unit; a power of two, so that the product is exact
HIGHEST = 64.0  # values beyond count as this in the sums, which keeps those of 2^24 pixels within 63 bits


@triton.jit
def _later(one, other):  # type: ignore[no-untyped-def]
    return tl.maximum(one, other)


@triton.jit  # type: ignore[untyped-decorator]
def _label_runs(smoothed, labels, threshold, height, width, WIDTH: tl.constexpr):  # type: ignore[no-untyped-def]
    """Label the pixels of one row; those not above the threshold with -1."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, WIDTH)
    inside = column < width
    above = inside & (tl.load(smoothed + row * width + column, mask=inside, other=0.0) > threshold)
    start = tl.associative_scan(tl.where(above, 0, column + 1), 0, _later)
    label = (row % height).to(tl.int32) * width + start
    tl.store(labels + row * width + column, tl.where(above, label, -1), mask=inside)


@triton.jit
def _root(labels, pixel, active):  # type: ignore[no-untyped-def]
    """Follow the labels to the root."""
    parent = tl.load(labels + pixel, mask=active, other=-1)
    moving = active & (parent != pixel)
    while tl.max(moving.to(tl.int32), axis=0) > 0:
        pixel = tl.where(moving, parent, pixel)
        parent = tl.load(labels + pixel, mask=moving, other=-1)
        moving = moving & (parent != pixel)
    return pixel


@triton.jit
def _join(labels, one, other, active):  # type: ignore[no-untyped-def]
    """Give two pixels the same root, whatever other threads join meanwhile."""
    while tl.max(active.to(tl.int32), axis=0) > 0:
        one = _root(labels, one, active)
        other = _root(labels, other, active)
        low, high = tl.minimum(one, other), tl.maximum(one, other)
        active = active & (low != high)
        found = tl.atomic_min(labels + high, low, mask=active, sem="relaxed")
        # If it was no root any more, what it had been joined to remains to be joined.
        active = active & (found != high)
        one, other = low, tl.where(active, found, low)


@triton.jit  # type: ignore[untyped-decorator]
def _join_rows(labels, height, width, blocks, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Join the pixels of a block with their neighbours in the row above, each pair of runs about once."""
    program = tl.program_id(0)
    labels += (program // blocks).to(tl.int64) * height * width
    pixel = program % blocks * BLOCK + tl.arange(0, BLOCK)
    column = pixel % width
    above = pixel - width
    here = (pixel < height * width) & (pixel >= width)
    here = here & (tl.load(labels + pixel, mask=here, other=-1) >= 0)
    left = tl.load(labels + pixel - 1, mask=here & (column > 0), other=-1) >= 0
    north = tl.load(labels + above, mask=here, other=-1) >= 0
    north_west = tl.load(labels + above - 1, mask=here & (column > 0), other=-1) >= 0
    north_east = tl.load(labels + above + 1, mask=here & (column < width - 1), other=-1) >= 0
    _join(labels, pixel, above, here & north & ((left & north_west) == 0))
    _join(labels, pixel, above - 1, here & north_west & (north == 0) & (left == 0))
    _join(labels, pixel, above + 1, here & north_east & (north == 0))


@triton.jit  # type: ignore[untyped-decorator]
def _sum_components(  # type: ignore[no-untyped-def]
    average, labels, sums, pixels, blocks, FRACTION: tl.constexpr, HIGHEST: tl.constexpr, BLOCK: tl.constexpr
):
    """Label the pixels of a block with their roots, and add their values there."""
    program = tl.program_id(0)
    first = (program // blocks).to(tl.int64) * pixels
    labels += first
    pixel = program % blocks * BLOCK + tl.arange(0, BLOCK)
    label = tl.load(labels + pixel, mask=pixel < pixels, other=-1)
    above = label >= 0
    root = _root(labels, label, above)
    tl.store(labels + pixel, root, mask=above)
    value = tl.load(average + first + pixel, mask=above, other=0.0)
    whole = (tl.minimum(tl.maximum(value, -HIGHEST), HIGHEST) * FRACTION).to(tl.int64)
    tl.atomic_add(sums + first + root, whole, mask=above, sem="relaxed")


def label_components(
    average: Tensor,  # [N, H, W] float32
    smoothed: Tensor,  # [N, H, W] float32
    threshold: float,
) -> tuple[Tensor, Tensor]:  # [N, H W] int32, [N, H W] int64
    """Return the label of each pixel, -1 for none, and at each root the sum of its component's values."""
    count, height, width = average.shape
    labels = torch.empty((count, height * width), dtype=torch.int32, device=average.device)
    sums = torch.zeros_like(labels, dtype=torch.int64)
    blocks = triton.cdiv(height * width, BLOCK)
    with torch.cuda.device_of(average):  # type: ignore[no-untyped-call]
        _label_runs[(count * height,)](
            *(smoothed.contiguous(), labels, threshold, height, width),
            WIDTH=triton.next_power_of_2(width),
            enable_fp_fusion=False,
        )
        _join_rows[(count * blocks,)](labels, height, width, blocks, BLOCK=BLOCK, enable_fp_fusion=False)
        _sum_components[(count * blocks,)](
            *(average.contiguous(), labels, sums, height * width, blocks),
            FRACTION=FRACTION,
            HIGHEST=HIGHEST,
            BLOCK=BLOCK,
            enable_fp_fusion=False,
        )
    return labels, sums


def find_peaks_on_gpu(
    average: Tensor,  # [N, H, W] float32
    smoothed: Tensor,  # [N, H, W] float32
    threshold: float,
) -> tuple[Tensor, Tensor]:  # [N, 2] int64, [N] float32
    """Return column and row of each map's peak, -1 where there is none, and its value, 0 where there is none."""
    width = average.shape[2]
    labels, sums = label_components(average, smoothed, threshold)
    is_root = labels == torch.arange(labels.shape[1], device=labels.device, dtype=labels.dtype)
    winner = torch.where(is_root, sums, torch.iinfo(sums.dtype).min).argmax(1, keepdim=True)
    inside = labels == winner  # nowhere if there is no root: the winner is then pixel 0, whose label is -1
    values = torch.where(inside, average.flatten(1), -torch.inf)
    at = values.argmax(1, keepdim=True)
    value = values.gather(1, at)
    found = value > 0  # else the winner holds nothing above the zero that surrounds it: no peak
    xy = torch.where(found, torch.cat([at % width, at // width], dim=1), -1)
    return xy, torch.where(found, value, 0)[:, 0]
