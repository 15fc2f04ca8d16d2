"""How long the hand model takes: forward, and forward with backward, at batch 64.

Run `python benchmarks/hand.py`; it writes benchmarks/results/hand.json.
"""

import time

import torch
from report import Value, median_ms, write_results

from s2hand.train.mano import HandModel, load_hand_model

BATCH = 64
POSES, SHAPES = 30, 10


def inputs(device: str) -> list[torch.Tensor]:
    """Random pose, shape and rotation that ask for gradients."""
    generator = torch.Generator().manual_seed(0)
    sizes = (POSES, SHAPES, 3)
    return [torch.randn(BATCH, n, generator=generator).to(device).requires_grad_() for n in sizes]


def measure(hand: HandModel, device: str) -> dict[str, Value]:
    """Median times of one call in milliseconds: wall, and of the processor, all its threads together."""
    given = inputs(device)

    def forward() -> None:
        with torch.no_grad():
            hand(*given)

    def both() -> None:
        mesh = hand(*given)
        (mesh.vertices.square().mean() + mesh.joints.square().mean()).backward()

    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "batch": BATCH,
        "forward_ms": median_ms(forward, 50, device=device),
        "forward_backward_ms": median_ms(both, 50, device=device),
        "forward_backward_cpu_ms": median_ms(both, 50, clock=time.process_time, device=device),
    }


def main() -> None:
    """Measure with one thread, with all, and on the GPU if there is one."""
    rows = []
    cores = torch.get_num_threads()
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        rows.append(measure(load_hand_model(), "cpu"))
    if torch.cuda.is_available():
        rows.append(measure(load_hand_model().to("cuda"), "cuda"))
    write_results("hand", rows, "778 vertices and 21 joints from 30 pose coefficients, 10 shape values, rotation")


if __name__ == "__main__":
    main()
