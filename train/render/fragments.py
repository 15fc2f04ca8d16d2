"""What a rasterizer finds: for every pixel the face that it shows, and where on that face it lies."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """The visible surface, pixel by pixel. Background: face -1, all else 0."""

    face_index: Tensor  # [B, H, W] int32
    barycentrics: Tensor  # [B, H, W, 3] of the pixel's centre, on the screen; in [0, 1], sum 1
    depth: Tensor  # [B, H, W] metres, perspective-correct

    def __post_init__(self) -> None:
        size, kind = tuple(self.face_index.shape), self.face_index.dtype
        if len(size) != 3 or kind != torch.int32:
            raise ValueError(f"face_index: expected [B, H, W] int32, found {list(size)} {kind}")
        for name, tensor, expected in (
            ("barycentrics", self.barycentrics, (*size, 3)),
            ("depth", self.depth, size),
        ):
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name}: expected {list(expected)}, found {list(tensor.shape)}")
