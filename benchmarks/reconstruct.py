"""How many crops a second the network reconstructs, without rendering: bytes in, hands in the photograph's camera out.

    python benchmarks/reconstruct.py [--device cuda] [--threads 2] [--clock cpu]

Two networks, by the hand model of the package: the embedded default's (64 px, `params.yaml`) and the paper's (224 px,
`presets/freihand.yaml`); the 2D branch has no part in it. The weights are fresh: times do not depend on them.
`network_ms` is the network alone, its crops on the device; `whole` counts all that `Reconstructor.from_crops` does, the
way back to the photograph included. It writes benchmarks/results/reconstruct.json, or reconstruct-cuda.json.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from report import Value, median_ms, write_results

from s2hand.datasets.cameras import Box
from s2hand.datasets.hand_crops import HandCrop, cut_hand
from s2hand.detect.detector import find_device
from s2hand.detect.settings import DetectSettings
from s2hand.pipeline.params import load_params
from s2hand.pipeline.reconstruct.reconstructor import Reconstructor, images_to
from s2hand.train.mano import load_hand_model
from s2hand.train.model import HandNetwork

ROOT = Path(__file__).parents[1]
NETWORKS = {"default": "params.yaml", "paper": "presets/freihand.yaml"}
BATCHES = {"cpu": (1, 16, 64), "cuda": (1, 64, 256, 1024)}


def load(params_file: Path, device: torch.device, batch_size: int) -> Reconstructor:
    """A reconstructor with fresh weights."""
    params = load_params(params_file)
    settings = params.train.encoder.model_copy(update={"pretrained": "never"})
    torch.manual_seed(0)
    network = HandNetwork(settings, load_hand_model()).to(device=device, memory_format=torch.channels_last).eval()
    size = params.pack.image_size
    return Reconstructor(network, size, "square", 1.0, device, DetectSettings(), batch_size)


def crops_of(count: int, size: int) -> tuple[list[HandCrop], list[np.ndarray]]:
    """Crops of noise, every other one of a left hand, and the cameras of their photographs."""
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    K = np.array([[2.0 * size, 0, size / 2], [0, 2.0 * size, size / 2], [0, 0, 1]])
    box = Box(0, 0, size, size)
    return [cut_hand(image, K, box, "left" if one % 2 else "right", size) for one in range(count)], [K] * count


def measure(name: str, device: torch.device, batch: int, clock: Callable[[], float]) -> dict[str, Value]:
    """Times of one network and batch size."""
    reconstructor = load(ROOT / NETWORKS[name], device, batch)
    crops, cameras = crops_of(batch, reconstructor.size)
    images = images_to(np.stack([crop.image for crop in crops]), device)
    K = torch.from_numpy(np.stack([crop.K for crop in crops])).to(device, torch.float32)

    @torch.inference_mode()
    def network() -> None:
        reconstructor.network(images, K)

    repeats = max(5, min(20, 64 // batch)) if device.type == "cpu" else 30
    alone = median_ms(network, repeats, clock=clock, device=device.type)
    whole = median_ms(lambda: reconstructor.from_crops(crops, cameras), repeats, clock=clock)
    return {
        "network": name,
        "size_px": reconstructor.size,
        "batch": batch,
        "network_ms": alone,
        "network_crops_per_s": 1000 * batch / alone,
        "whole_ms": whole,
        "whole_crops_per_s": 1000 * batch / whole,
    }


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", default="wall", choices=("wall", "cpu"), help="cpu: seconds of the processor")
    parser.add_argument("--notes", default="", help="on the circumstances, for the file of results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = find_device(arguments.device)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    rows = [measure(name, device, batch, clock) for name in NETWORKS for batch in BATCHES[device.type]]
    notes = f"device {device}, {arguments.threads} threads, float32, {arguments.clock} time; fresh weights"
    name = "reconstruct" if device.type == "cpu" else "reconstruct-cuda"
    write_results(name, rows, "; ".join(filter(None, [notes, arguments.notes])))


if __name__ == "__main__":
    main()
