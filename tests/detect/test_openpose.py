"""The OpenPose hand network: names, shapes and numbers of the published one."""

import json
from pathlib import Path

import numpy as np
import torch

from s2hand.detect.layers import published_name
from s2hand.detect.openpose import HandNetwork, network_from_published, published_shapes

TABLE = json.loads((Path(__file__).parent / "reference" / "hand_network.json").read_text())["tensors"]


def test_state_has_the_published_names_shapes_and_order():
    with torch.device("meta"):
        state = HandNetwork().state_dict()
    ours = [[key, published_name(key), list(tensor.shape)] for key, tensor in state.items()]
    assert ours == TABLE


def test_published_shapes_cover_the_file():
    assert published_shapes() == {name: tuple(shape) for _, name, shape in TABLE}


def test_forward_agrees_with_the_original(random_tensors, reference):
    for index, name in ((0, "w0"), (-2, "wlast")):
        first = list(random_tensors.values())[index].flatten()[:5]
        np.testing.assert_array_equal(first, reference[f"handpose_model_{name}_first5"])
    with torch.inference_mode():
        maps = network_from_published(random_tensors)(torch.from_numpy(reference["net_fwd_input"]))
    np.testing.assert_allclose(maps, reference["handpose_model_fwd_out0"], atol=2e-6)


def test_building_from_half_precision_gives_float32(random_tensors):
    half = {name: tensor.half() for name, tensor in random_tensors.items()}
    network = network_from_published(half)
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in network.parameters())
