"""The body network of OpenPose, with the layer names of the published `body_pose_model.pth`.

Like the hand network it is a convolutional pose machine, but with two branches at each of its six stages: one
predicts 38 part affinity fields (x and y for each of 19 limbs), the other 19 heatmaps (18 parts and the background).
Each later stage is fed with both branches' last answers and the trunk's 128 features (Cao et al., "Realtime
Multi-Person 2D Pose Estimation using Part Affinity Fields", CVPR 2017).

The published code leaves a ReLU behind the last heatmaps, and behind no other prediction. The last heatmaps are
never negative, then, and so are they here.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from s2hand.detect.layers import Row, build, chain_rows, from_published, shapes_of, vgg_rows

FIELDS = 38
MAPS = 19  # 18 parts, then the background
FEATURES = 128
STAGES = 6


def trunk_rows() -> list[Row]:
    """Describe the trunk."""
    blocks = ((64, 64), (128, 128), (256,) * 4, (512, 512))
    return [
        *vgg_rows(blocks),
        *chain_rows(("conv4_3_CPM", "conv4_4_CPM"), (512, 256, FEATURES), (3, 3), relu_last=True),
    ]


def first_stage_rows(branch: int, outputs: int) -> list[Row]:
    """Describe the first prediction of a branch, made from the features alone."""
    names = [f"conv5_{i}_CPM_L{branch}" for i in range(1, 6)]
    return chain_rows(names, (*(FEATURES,) * 4, 512, outputs), (3, 3, 3, 1, 1))


def refinement_rows(stage: int, branch: int, outputs: int) -> list[Row]:
    """Describe a branch of stage 2..6: five wide convolutions that see far, then two of a single cell."""
    names = [f"Mconv{i}_stage{stage}_L{branch}" for i in range(1, 8)]
    widths = (FIELDS + MAPS + FEATURES, *(FEATURES,) * 6, outputs)
    last_maps = stage == STAGES and outputs == MAPS
    return chain_rows(names, widths, (7, 7, 7, 7, 7, 1, 1), relu_last=last_maps)


class BodyNetwork(nn.Module):
    """Image -> part affinity fields and heatmaps.

    The parts are called `model0` (trunk) and `model1_1` .. `model6_1` (fields), `model1_2` .. `model6_2` (maps).
    """

    def __init__(self) -> None:
        super().__init__()
        self.model0 = build(trunk_rows())
        for branch, outputs in ((1, FIELDS), (2, MAPS)):
            self.add_module(f"model1_{branch}", build(first_stage_rows(branch, outputs)))
            for stage in range(2, STAGES + 1):
                self.add_module(f"model{stage}_{branch}", build(refinement_rows(stage, branch, outputs)))

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W] BGR, value / 256 - 0.5, H and W multiples of 8
    ) -> tuple[Tensor, Tensor]:  # [B, 38, H / 8, W / 8], [B, 19, H / 8, W / 8]
        """Predict the part affinity fields and the heatmaps of the last stage."""
        features: Tensor = self.model0(images)
        inputs = features
        for stage in range(1, STAGES + 1):
            fields, maps = (self.get_submodule(f"model{stage}_{branch}")(inputs) for branch in (1, 2))
            inputs = torch.cat((fields, maps, features), dim=1)
        return fields, maps


def published_shapes() -> dict[str, tuple[int, ...]]:
    """List the tensors that the published file holds: name -> shape (184 of them)."""
    return shapes_of(BodyNetwork)


def network_from_published(tensors: Mapping[str, Tensor]) -> BodyNetwork:
    """Build the network from tensors under their published names; the caller has checked names and shapes."""
    return from_published(BodyNetwork, tensors)
