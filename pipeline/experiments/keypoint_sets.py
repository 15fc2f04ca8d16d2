"""The sets of 2D joints that a training has to do with, on its own images, against the true ones: Figure 4."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.train.checkpoint import KEYPOINTS, read_checkpoint
from s2hand.train.hourglass import HourglassBranch
from s2hand.train.loop import pick_device
from s2hand.train.metrics import pck_curve

Floats = NDArray[np.floating[Any]]

REFERENCE_SIZE = 224  # pixels of the image that distances are given for
DISTANCES = np.linspace(0.0, 50.0, 101)  # of the curves, in those pixels
WITHIN = (5.0, 10.0, 20.0)


def distances_px(
    joints_px: Floats,  # [N, 21, 2] pixels of a crop; NaN: not found
    true_px: Floats,  # [N, 21, 2]
    size: int,  # pixels of the crop's side
) -> NDArray[np.float64]:  # [N, 21]
    """Return the distances in pixels of a 224 px image; infinite for a joint that was not found."""
    distances = np.linalg.norm(np.asarray(joints_px, np.float64) - true_px, axis=2) * (REFERENCE_SIZE / size)
    return np.where(np.isnan(distances), np.inf, distances)


def summary(distances: NDArray[np.float64]) -> dict[str, float]:
    """The mean distance over the joints that were found, and the shares of all joints within some distances."""
    found = distances[np.isfinite(distances)]
    if not found.size:
        raise ValueError("distances: expected at least one joint that was found, there is none")
    shares = pck_curve(distances, np.array(WITHIN))
    return {
        "error_px": float(found.mean()),
        **{f"within_{limit:.0f}px": float(share) for limit, share in zip(WITHIN, shares, strict=True)},
        "found": found.size / distances.size,
    }


def curve(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of all joints within each of `DISTANCES`."""
    return pck_curve(distances, DISTANCES)


@torch.inference_mode()
def predict_2d(folder: Path, pack: Pack, batch_size: int, device: str) -> NDArray[np.float32]:
    """The joints [N, 21, 2] in pixels of the crop that the 2D branch of a finished training sees in a pack's rows."""
    saved = read_checkpoint(folder, KEYPOINTS)
    network = HourglassBranch(saved.identity.settings.hourglass)
    network.load_state_dict(saved.weights)
    place = pick_device(device)
    network.to(device=place, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    parts = []
    for start in range(0, len(pack), batch_size):
        images = pack.rows(np.arange(start, min(start + batch_size, len(pack)))).images
        crops = torch.from_numpy(images).to(place).permute(0, 3, 1, 2).float() / 255
        parts.append(network(crops)[-1].joints.cpu().numpy())
    return np.concatenate(parts)
