"""Rendering on the CPU: the rasterizer alone, the whole render, and the render with its gradient.

    python benchmarks/render.py

Hands of 1538 faces, each in its own pose, that fill about a fifth of images of 224 x 224.
"""

import torch
from report import median_ms, write_results

from s2hand.train import load_hand_model, render
from s2hand.train.render.camera import project
from s2hand.train.render.kernels import rasterize_batch

SIZE = 224
BATCHES = (16, 64)
LIGHTS = (0.6, 0.6, 1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.2, -0.3, 0.9)


def scene(batch: int) -> dict[str, torch.Tensor]:
    """Return open hands in random poses in front of a camera like FreiHAND's."""
    generator = torch.Generator().manual_seed(batch)
    hand = load_hand_model("open")
    pose, rotation = (torch.randn(batch, size, generator=generator) for size in (10, 3))
    with torch.no_grad():
        mesh = hand(pose, torch.zeros(batch, 10), rotation)
    vertices = mesh.vertices - mesh.vertices.mean(dim=1, keepdim=True) + torch.tensor([0, 0, 0.55])
    return {
        "vertices": vertices,
        "faces": torch.as_tensor(hand.faces),
        "colors": torch.rand(vertices.shape, generator=generator),
        "K": torch.tensor([[480.0, 0, SIZE / 2], [0, 480, SIZE / 2], [0, 0, 1]]).expand(batch, 3, 3),
        "lights": torch.tensor(LIGHTS).expand(batch, 11),
    }


def measure(batch: int, supersampling: int) -> dict[str, float | int]:
    """Time one batch; milliseconds, median."""
    inputs = scene(batch)
    side = SIZE * supersampling
    vertices_px = project(inputs["vertices"], inputs["K"]) * torch.tensor([supersampling, supersampling, 1])
    arrays = vertices_px.numpy(), inputs["faces"].numpy()
    tracked = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items() if name != "faces"}

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return render(**inputs, supersampling=supersampling).silhouette

    def forward_and_backward() -> None:
        image = render(**tracked, faces=inputs["faces"], supersampling=supersampling)
        (image.rgb.square().sum() + image.depth.sum()).backward()

    row = {
        "batch": batch,
        "samples_per_pixel": supersampling**2,
        "covered": round(forward().mean().item(), 3),
        "rasterize_1_thread_ms": median_ms(lambda: rasterize_batch(*arrays, side, side, threads=1)),
        "rasterize_ms": median_ms(lambda: rasterize_batch(*arrays, side, side)),
        "render_ms": median_ms(forward, repeats=8),
        "render_and_gradient_ms": median_ms(forward_and_backward, repeats=8),
    }
    return row | {"gradient_ms_per_image": row["render_and_gradient_ms"] / batch}


def main() -> None:
    """Measure every combination and write the results."""
    rows = [measure(batch, supersampling) for batch in BATCHES for supersampling in (1, 2)]
    write_results("render", rows, f"{SIZE} x {SIZE}, 1538 faces; torch threads: {torch.get_num_threads()}")


if __name__ == "__main__":
    main()
