"""An untrained checkpoint for 64 px crops."""

import pytest
import torch

from s2hand.train.checkpoint import WEIGHTS, Identity, hand_digest, write_weights
from s2hand.train.export.network import draw_crops
from s2hand.train.mano import load_hand_model
from s2hand.train.model import HandNetwork
from s2hand.train.settings import EncoderSettings, TrainSettings

SETTINGS = TrainSettings(encoder=EncoderSettings(pretrained="never", grid=2, points=True, hidden=16), seed=7)


def write_checkpoint(folder, hand):
    """Fresh weights, but normalised as if trained, so that the answer depends on the picture."""
    torch.manual_seed(0)
    network = HandNetwork(SETTINGS.encoder, hand)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(*draw_crops(8, 64))
        network.encoder.head.weight.mul_(10)
    identity = Identity(SETTINGS, hand_digest(hand), "data", 64, "code", {"crop": "square", "crop_scale": 1.0})
    write_weights(folder / WEIGHTS, network.state_dict(), identity)
    return folder


@pytest.fixture(scope="package")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("trained"), load_hand_model())
