"""What of a mesh depends on its faces alone, worked out once for all the steps that show it."""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from s2hand.train.render.edge_kernels import edge_topology


@dataclass(frozen=True)
class Topology:
    """Faces and edges of a mesh, on the device of the faces."""

    faces: Tensor  # [F, 3] int32
    lowest: int  # of the vertices that faces name
    highest: int
    edges: Tensor  # [E, 2] int32 vertices
    owners: Tensor  # [E, 2] int32 faces on the two sides, -1: none

    def check(self, vertices_px: Tensor) -> None:
        """Raise ValueError if vertices are not [B, V, 3], or a face names one that does not exist."""
        if vertices_px.ndim != 3 or vertices_px.shape[2] != 3:
            raise ValueError(f"vertices_px: expected [B, V, 3], found {list(vertices_px.shape)}")
        count = vertices_px.shape[1]
        if self.lowest < 0 or self.highest >= count:
            raise ValueError(
                f"faces: expected indices from 0 to {count - 1}, found {self.lowest} to {self.highest}; "
                "check that the faces belong to this mesh"
            )


def mesh_topology(faces: Tensor) -> Topology:  # [F, 3]
    """Return the topology of a mesh; of the same tensor, unless it was written to, the same one again."""
    return _topology(faces, 0 if faces.is_inference() else faces._version)


@functools.lru_cache(maxsize=8)
def _topology(faces: Tensor, version: int) -> Topology:
    """Work it out. `version` tells a tensor from itself before it was written to."""
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces: expected [F, 3], found {list(faces.shape)}")
    array = faces.detach().cpu().numpy()
    lowest, highest = (int(array.min()), int(array.max())) if array.size else (0, -1)
    on_device = (torch.from_numpy(part).to(faces.device) for part in edge_topology(array))
    return Topology(faces.int().contiguous(), lowest, highest, *on_device)
