"""The hand network of OpenPose, with the layer names of the published `hand_pose_model.pth`.

A convolutional pose machine: a trunk in the manner of VGG-19 down to an eighth of the image, a first stage
that predicts 21 joint maps and one background map from the trunk's 128 features, and five more stages that
refine them, each fed with the previous stage's 22 maps and the same features (Simon et al., "Hand Keypoint
Detection in Single Images using Multiview Bootstrapping", CVPR 2017).

Nothing is written layer by layer: the network follows from the few rows below.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from s2hand.detect.layers import Conv, Row, build, chain_rows, from_published, shapes_of, vgg_rows

MAPS = 22  # 21 joints in our order, then the background
FEATURES = 128
STAGES = 6
STRIDE = 8  # pixels of the network's input per cell of its output


def trunk_rows() -> list[Row]:
    """Describe the trunk."""
    blocks = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512, 512))
    return [*vgg_rows(blocks), Conv("conv5_3_CPM", 512, FEATURES, 3)]


def first_stage_rows() -> list[Row]:
    """Describe the first prediction, made from the features alone."""
    return chain_rows(("conv6_1_CPM", "conv6_2_CPM"), (FEATURES, 512, MAPS), (1, 1))


def refinement_rows(stage: int) -> list[Row]:
    """Describe stage 2..6: five wide convolutions that see far, then two of a single cell."""
    names = [f"Mconv{i}_stage{stage}" for i in range(1, 8)]
    return chain_rows(names, (MAPS + FEATURES, *(FEATURES,) * 6, MAPS), (7, 7, 7, 7, 7, 1, 1))


class HandNetwork(nn.Module):
    """Image -> maps of 21 joints and the background.

    The parts are called `model1_0` (trunk), `model1_1` (first stage) and `model2` .. `model6`; a published
    weight file holds the same tensors without that prefix, see `layers.published_name`.
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


def published_shapes() -> dict[str, tuple[int, ...]]:
    """List the tensors that the published file holds: name -> shape (104 of them)."""
    return shapes_of(HandNetwork)


def network_from_published(tensors: Mapping[str, Tensor]) -> HandNetwork:
    """Build the network from tensors under their published names; the caller has checked names and shapes."""
    return from_published(HandNetwork, tensors)
