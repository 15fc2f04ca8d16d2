"""The gradient of what an image shows at its edges: see `edge_kernels`, or `triton_edges`, which compute it."""

from typing import Any

import torch
from torch import Tensor

from s2hand.train.render.edge_kernels import edge_gradients
from s2hand.train.render.topology import mesh_topology


class _MovingEdges(torch.autograd.Function):
    """Hands an image on unchanged; its gradient also moves the silhouettes of the mesh that it shows."""

    @staticmethod
    def forward(
        ctx: Any,
        rgb: Tensor,
        silhouette: Tensor,
        vertices_px: Tensor,
        faces: Tensor,
        front: Tensor,
        back: Tensor,
        background: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(vertices_px, faces, front, back, background)
        return rgb.view_as(rgb), silhouette.view_as(silhouette)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        rgb_slopes, silhouette_slopes = slopes
        pull = None
        if ctx.needs_input_grad[2]:
            vertices_px, faces, *colors = ctx.saved_tensors
            both = torch.cat([rgb_slopes, silhouette_slopes.unsqueeze(1)], dim=1)
            move = _move_on_gpu if vertices_px.is_cuda else _move_on_cpu
            pull = torch.zeros_like(vertices_px)
            pull[..., :2] = move(faces, *(tensor.detach() for tensor in (vertices_px, *colors, both)))
        return rgb_slopes, silhouette_slopes, pull, None, None, None, None


def move_edges(
    rgb: Tensor,  # [B, 3, H, W]
    silhouette: Tensor,  # [B, H, W]
    vertices_px: Tensor,  # [B, V, 3] u, v pixels of that image, z metres
    faces: Tensor,  # [F, 3]
    front: Tensor,  # [B, V, 3] lit colours of the vertices, seen from the front
    back: Tensor,  # [B, V, 3] the same, seen from behind
    background: Tensor,  # [3], or [B or 1, 3, H, W]
) -> tuple[Tensor, Tensor]:
    """The same image, whose gradient at u, v of the vertices now includes that of silhouettes and occlusions.

    Colours and background are constants here: their own gradients flow through the image itself.
    """
    behind = background.reshape(1, -1, 1, 1) if background.ndim == 1 else background
    result: tuple[Tensor, Tensor] = _MovingEdges.apply(rgb, silhouette, vertices_px, faces, front, back, behind)
    return result


def _move_on_cpu(faces: Tensor, vertices_px: Tensor, *scene: Tensor) -> Tensor:
    topology = mesh_topology(faces)
    edges = topology.edges.numpy(), topology.owners.numpy()
    mesh, front, back, background, slopes = (tensor.numpy() for tensor in (vertices_px, *scene))
    threads = torch.get_num_threads()
    return torch.from_numpy(edge_gradients(mesh, faces.numpy(), front, back, background, slopes, threads, edges))


def _move_on_gpu(  # pragma: no cover - needs a GPU
    faces: Tensor, vertices_px: Tensor, *scene: Tensor
) -> Tensor:
    # Imported here: without a GPU nothing needs triton.
    from s2hand.train.render.triton_edges import edge_gradients_on_gpu

    return edge_gradients_on_gpu(vertices_px, mesh_topology(faces), *scene)
