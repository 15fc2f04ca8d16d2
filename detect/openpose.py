"""The hand network of OpenPose, with the layer names of the published `hand_pose_model.pth`.

A convolutional pose machine: a trunk in the manner of VGG-19 down to an eighth of the image, a first stage
that predicts 21 joint maps and one background map from the trunk's 128 features, and five more stages that
refine them, each fed with the previous stage's 22 maps and the same features (Simon et al., "Hand Keypoint
Detection in Single Images using Multiview Bootstrapping", CVPR 2017).

Nothing is written layer by layer: the network follows from the few rows below.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MAPS = 22  # 21 joints in our order, then the background
FEATURES = 128
STAGES = 6
STRIDE = 8  # pixels of the network's input per cell of its output


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


def trunk_rows() -> list[Conv | Pool]:
    """Describe the trunk: five blocks of 3 x 3 convolutions, the first three followed by a pool."""
    blocks = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512, 512))
    rows: list[Conv | Pool] = []
    inputs = 3
    for block, widths in enumerate(blocks, start=1):
        for index, outputs in enumerate(widths, start=1):
            rows.append(Conv(f"conv{block}_{index}", inputs, outputs, 3))
            inputs = outputs
        if block <= 3:
            rows.append(Pool(f"pool{block}"))
    return [*rows, Conv("conv5_3_CPM", inputs, FEATURES, 3)]


def first_stage_rows() -> list[Conv | Pool]:
    """Describe the first prediction, made from the features alone."""
    return [Conv("conv6_1_CPM", FEATURES, 512, 1), Conv("conv6_2_CPM", 512, MAPS, 1, relu=False)]


def refinement_rows(stage: int) -> list[Conv | Pool]:
    """Describe stage 2..6: five wide convolutions that see far, then two of a single cell."""
    inputs = (MAPS + FEATURES, *(FEATURES,) * 6)
    outputs = (*(FEATURES,) * 6, MAPS)
    kernels = (7, 7, 7, 7, 7, 1, 1)
    return [
        Conv(f"Mconv{i + 1}_stage{stage}", inputs[i], outputs[i], kernels[i], relu=i < 6) for i in range(len(kernels))
    ]


def build(rows: Sequence[Conv | Pool]) -> nn.Sequential:
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


class HandNetwork(nn.Module):
    """Image -> maps of 21 joints and the background.

    The parts are called `model1_0` (trunk), `model1_1` (first stage) and `model2` .. `model6`; a published
    weight file holds the same tensors without that prefix, see `published_name`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.model1_0 = build(trunk_rows())
        self.model1_1 = build(first_stage_rows())
        for stage in range(2, STAGES + 1):
            self.add_module(f"model{stage}", build(refinement_rows(stage)))

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W] BGR, value / 256 - 0.5, H and W multiples of 8
    ) -> Tensor:  # [B, 22, H / 8, W / 8]
        """Predict the maps of the last stage; they are near [0, 1] but not bounded."""
        features: Tensor = self.model1_0(images)
        maps: Tensor = self.model1_1(features)
        for stage in range(2, STAGES + 1):
            maps = self.get_submodule(f"model{stage}")(torch.cat((maps, features), dim=1))
        return maps


def published_name(key: str) -> str:
    """Name a tensor of `HandNetwork` as the published file does: without the prefix up to the first dot."""
    return key.split(".", maxsplit=1)[1]


def published_shapes() -> dict[str, tuple[int, ...]]:
    """List the tensors that the published file holds: name -> shape (104 of them)."""
    with torch.device("meta"):
        state = HandNetwork().state_dict()
    return {published_name(key): tuple(tensor.shape) for key, tensor in state.items()}


def network_from_published(tensors: Mapping[str, Tensor]) -> HandNetwork:
    """Build the network from tensors under their published names; the caller has checked names and shapes."""
    with torch.device("meta"):
        network = HandNetwork()
    state = {key: tensors[published_name(key)].float() for key in network.state_dict()}
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)
