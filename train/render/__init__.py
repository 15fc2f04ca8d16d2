"""Meshes to images: z-buffer, light and colour, at a pinhole camera.

    render             a coloured mesh to rgb, silhouette and depth
    rasterize.py       which face a pixel shows, and where on it (torch); reference.py is its readable twin
    kernels.py         the same for NumPy, without torch
    edges.py, edge_kernels.py    the gradient of silhouettes and occlusions; topology.py finds a mesh's edges
    triton_*.py        the kernels for the GPU
    surface.py         the points of the mesh that pixels see, and values of the vertices read there
    samples.py, sample_kernels.py    what the samples of each pixel show, summed up
    camera.py, shading.py, image.py    projection, light, and all of it together

Importing this builds nothing: torch and numba are loaded by the first call, triton by the first on a GPU.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from s2hand.train.render.image import RenderedImage


def render(
    vertices: "Tensor",  # [B, V, 3] camera, metres
    faces: "Tensor",  # [F, 3]
    colors: "Tensor",  # [B, V, 3]
    K: "Tensor",  # [B, 3, 3]
    lights: "Tensor",  # [B, 11]
    image_size: tuple[int, int] = (224, 224),  # height, width
    *,
    background: "tuple[float, float, float] | Tensor" = (1.0, 1.0, 1.0),
    supersampling: int = 2,
) -> "RenderedImage":
    """Render meshes: `rgb` [B, 3, H, W], `silhouette` [B, H, W], `depth` [B, H, W] (metres, 0: background).

    Nothing is clamped. Both sides of the faces are drawn and lit.

    Gradients: of rgb with respect to colours, lights, background, vertices and K; of the silhouette and the
    depth with respect to vertices and K. Those of rgb and silhouette include what moves at silhouettes and where
    one part hides another; that of depth is only what is inside the faces.
    Meshes behind the camera or outside the image, and vertices that are not numbers, leave background.

    Args:
        lights: ambient intensity, directional intensity, ambient rgb, directional rgb, direction in which the light
            travels (camera axes).
        background: one colour, or images [B or 1, 3, H, W].
        supersampling: each pixel is the mean of this number squared of samples; its depth is that of the covered ones.

    Raises:
        ValueError: a shape is wrong, or a face names a vertex that does not exist.

    Examples:
        >>> import torch
        >>> from s2hand.train import load_hand_model, render
        >>> hand = load_hand_model("open")
        >>> vertices = hand(pose=torch.zeros(1, 30)).vertices + torch.tensor([0, 0, 0.5])  # half a metre away
        >>> K = torch.tensor([[[300.0, 0, 112], [0, 300, 112], [0, 0, 1]]])
        >>> white = torch.full((1, 778, 3), 1.0)
        >>> lights = torch.tensor([[0.5, 0.5, 1, 1, 1, 1, 1, 1, 0, 0, 1]])  # from the camera forward
        >>> image = render(vertices, hand.faces, white, K, lights, background=(0, 0, 0))
        >>> image.rgb.shape, bool(image.silhouette.max() == 1)
        (torch.Size([1, 3, 224, 224]), True)
    """
    from s2hand.train.render.image import render_mesh

    return render_mesh(vertices, faces, colors, K, lights, image_size, background, supersampling)
