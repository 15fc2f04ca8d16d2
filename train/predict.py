"""Reconstruct the hands of a pack with a trained network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.train.checkpoint import WEIGHTS, CheckpointError, hand_digest, read_checkpoint
from s2hand.train.loop import pick_device
from s2hand.train.mano import load_hand_model
from s2hand.train.model import HandNetwork, Hands

Progress = Callable[[int, int], None]  # (hands done, hands in all)


@dataclass(frozen=True, eq=False)
class Predictions:
    """N reconstructed hands, in the order of the pack's rows, as right hands in the camera space of the crop."""

    joints_cam: NDArray[np.float32]  # [N, 21, 3] metres
    vertices_cam: NDArray[np.float32]  # [N, 778, 3]
    joints_px: NDArray[np.float32]  # [N, 21, 2] pixels of the crop
    codes: NDArray[np.float32]  # [N, 47]: theta, beta, s, R as axis-angle, T

    def __post_init__(self) -> None:
        count = len(self.joints_cam)
        shapes = {"joints_cam": (21, 3), "vertices_cam": (778, 3), "joints_px": (21, 2), "codes": (47,)}
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != (count, *shape):
                raise ValueError(f"Predictions.{name}: expected {(count, *shape)}, found {found}")


def load_network(
    checkpoint: Path, hand: str = "open", device: str = "auto", name: str = WEIGHTS
) -> tuple[HandNetwork, int]:
    """The network of a checkpoint folder, ready to predict, and the side in pixels of the crops that it takes.

    `name` is the file in it: that of the last epoch, or of the best one.

    Raises CheckpointError where the checkpoint was trained with another hand model.
    """
    saved = read_checkpoint(checkpoint, name)
    model = load_hand_model(hand)
    found, expected = hand_digest(model), saved.identity.hand
    if found != expected:
        raise CheckpointError(
            f"{checkpoint}: trained with another hand model than {hand!r}: expected the one of digest "
            f"{expected[:16]}, found {found[:16]}; give the one it was trained with, or train again"
        )
    encoder = saved.identity.settings.encoder.model_copy(update={"pretrained": "never"})
    network = HandNetwork(encoder, model)
    try:
        network.load_state_dict(saved.weights)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint}: not the weights of this network; train again") from error
    network.to(device=pick_device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval(), saved.identity.image_size


@torch.inference_mode()
def predict(
    checkpoint: Path,
    pack: Pack,
    hand: str = "open",
    batch_size: int = 64,
    progress: Progress | None = None,
    device: str = "auto",
    name: str = WEIGHTS,
) -> Predictions:
    """Reconstruct every row of `pack`, by the weights in the file `name` of the folder `checkpoint`.

    `hand` names the hand model, as for `load_hand_model`; it and the size of the crops must be those of the
    training. Raises CheckpointError, a ValueError, where they are not.
    """
    network, size = load_network(checkpoint, hand, device, name)
    if pack.size != size:
        raise CheckpointError(
            f"{checkpoint}: trained on crops of {size} pixels, {pack.path} has {pack.size}; pack again"
        )
    parts = []
    for start in range(0, len(pack), batch_size):
        parts.append(_reconstruct(network, pack, np.arange(start, min(start + batch_size, len(pack)))))
        if progress is not None:
            progress(min(start + batch_size, len(pack)), len(pack))
    joints, vertices, pixels, codes = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Predictions(joints, vertices, pixels, codes)


def _reconstruct(network: HandNetwork, pack: Pack, chosen: NDArray[np.intp]) -> tuple[NDArray[np.float32], ...]:
    """Joints, vertices, projected joints and codes of some rows."""
    rows = pack.rows(chosen)
    device = network.hand.faces.device
    images = torch.from_numpy(rows.images).to(device).permute(0, 3, 1, 2).float() / 255
    hands: Hands = network(images, torch.from_numpy(rows.K).to(device))
    tensors = (hands.joints_cam, hands.vertices_cam, hands.joints_px, hands.code.vector())
    return tuple(tensor.cpu().numpy() for tensor in tensors)
