"""Networks as tables: the rows that OpenPose's networks are written in, and the names of their published tensors."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Conv:
    """One row of the table: a named square convolution that keeps the size, followed by a ReLU or not."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    relu: bool = True


@dataclass(frozen=True)
class Pool:
    """One row of the table: a named 2 x 2 maximum."""

    name: str


Row = Conv | Pool


def vgg_rows(blocks: Sequence[Sequence[int]]) -> list[Row]:
    """Describe a trunk in the manner of VGG-19: blocks of 3 x 3 convolutions, the first three followed by a pool."""
    rows: list[Row] = []
    inputs = 3
    for block, widths in enumerate(blocks, start=1):
        for index, outputs in enumerate(widths, start=1):
            rows.append(Conv(f"conv{block}_{index}", inputs, outputs, 3))
            inputs = outputs
        if block <= 3:
            rows.append(Pool(f"pool{block}"))
    return rows


def chain_rows(
    names: Sequence[str], widths: Sequence[int], kernels: Sequence[int], relu_last: bool = False
) -> list[Row]:
    """Describe convolutions one after the other; `widths` has one number more: the channels before the first."""
    last = len(names) - 1
    return [
        Conv(name, widths[i], widths[i + 1], kernels[i], relu=relu_last or i < last) for i, name in enumerate(names)
    ]


def build(rows: Sequence[Row]) -> nn.Sequential:
    """Build the modules of a table; only the convolutions hold parameters, under their row's name."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for row in rows:
        if isinstance(row, Pool):
            modules[row.name] = nn.MaxPool2d(2)
            continue
        modules[row.name] = nn.Conv2d(row.inputs, row.outputs, row.kernel, padding=row.kernel // 2)
        if row.relu:
            modules[f"relu_{row.name}"] = nn.ReLU(inplace=True)
    return nn.Sequential(modules)


def published_name(key: str) -> str:
    """Name a tensor of a network as the published file does: without the prefix up to the first dot."""
    return key.split(".", maxsplit=1)[1]


def shapes_of(network: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """List the tensors that the published file of a network holds: name -> shape."""
    with torch.device("meta"):
        state = network().state_dict()
    return {published_name(key): tuple(tensor.shape) for key, tensor in state.items()}


def from_published(network: Callable[[], Network], tensors: Mapping[str, Tensor]) -> Network:
    """Build a network from tensors under their published names; the caller has checked names and shapes."""
    with torch.device("meta"):
        built = network()
    state = {key: tensors[published_name(key)].float() for key in built.state_dict()}
    built.load_state_dict(state, assign=True)
    return built.eval().requires_grad_(False)
