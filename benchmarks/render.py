"""Rendering, on the CPU and on a GPU if there is one: the rasterizer alone, the whole render, and with its gradient.

    python benchmarks/render.py

Hands of 1538 faces, each in its own pose, that fill about a fifth of images of 224 x 224.
"""

from collections.abc import Callable

import torch
from report import median_ms, write_results

from s2hand.train import load_hand_model, render
from s2hand.train.render.camera import project
from s2hand.train.render.kernels import rasterize_batch
from s2hand.train.render.rasterize import rasterize

SIZE = 224
BATCHES = (16, 64)
LIGHTS = (0.6, 0.6, 1.0, 1.0, 1.0, 1.0, 0.95, 0.9, 0.2, -0.3, 0.9)


def scene(batch: int, device: str) -> dict[str, torch.Tensor]:
    """Return open hands in random poses in front of a camera like FreiHAND's."""
    generator = torch.Generator().manual_seed(batch)
    hand = load_hand_model("open")
    pose, rotation = (torch.randn(batch, size, generator=generator) for size in (10, 3))
    with torch.no_grad():
        mesh = hand(pose, torch.zeros(batch, 10), rotation)
    vertices = mesh.vertices - mesh.vertices.mean(dim=1, keepdim=True) + torch.tensor([0, 0, 0.55])
    tensors = {
        "vertices": vertices,
        "faces": torch.as_tensor(hand.faces),
        "colors": torch.rand(vertices.shape, generator=generator),
        "K": torch.tensor([[480.0, 0, SIZE / 2], [0, 480, SIZE / 2], [0, 0, 1]]).expand(batch, 3, 3),
        "lights": torch.tensor(LIGHTS).expand(batch, 11),
    }
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def measure(batch: int, supersampling: int, device: str) -> dict[str, str | float | int]:
    """Time one batch; milliseconds, median, after calls that compile the kernels."""
    inputs = scene(batch, device)
    faces, side = inputs["faces"], SIZE * supersampling
    finer = torch.tensor([supersampling, supersampling, 1], device=device)
    vertices_px = project(inputs["vertices"], inputs["K"]) * finer
    tracked = {name: tensor.clone().requires_grad_() for name, tensor in inputs.items() if name != "faces"}

    def draw() -> None:
        rasterize(vertices_px, faces, (side, side))

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return render(**inputs, supersampling=supersampling).silhouette

    def forward_and_backward() -> None:
        image = render(**tracked, faces=faces, supersampling=supersampling)
        (image.rgb.square().sum() + image.depth.sum()).backward()

    def time(call: Callable[[], object], repeats: int = 8) -> float:
        return median_ms(call, repeats, device=device)

    row: dict[str, str | float | int] = {
        "device": device,
        "batch": batch,
        "samples_per_pixel": supersampling**2,
        "covered": round(forward().mean().item(), 3),
    }
    if device == "cpu":
        arrays = vertices_px.numpy(), faces.numpy()
        row["rasterize_1_thread_ms"] = time(lambda: rasterize_batch(*arrays, side, side, threads=1), 20)
    gradient = time(forward_and_backward)
    return row | {
        "rasterize_ms": time(draw, 20),
        "render_ms": time(forward),
        "render_and_gradient_ms": gradient,
        "gradient_ms_per_image": gradient / batch,
    }


def main() -> None:
    """Measure every combination and write the results."""
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    settings = [(device, batch, supersampling) for device in devices for batch in BATCHES for supersampling in (1, 2)]
    rows = [measure(batch, supersampling, device) for device, batch, supersampling in settings]
    write_results("render", rows, f"{SIZE} x {SIZE}, 1538 faces; torch threads: {torch.get_num_threads()}")


if __name__ == "__main__":
    main()
