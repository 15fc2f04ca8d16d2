"""The OpenPose body network: names, shapes and numbers of the published one."""

import json
from pathlib import Path

import numpy as np
import torch

from s2hand.detect.body.network import BodyNetwork, network_from_published, published_shapes
from s2hand.detect.layers import published_name

REFERENCE = Path(__file__).parents[1] / "reference"
TABLE = json.loads((REFERENCE / "body_network.json").read_text())["tensors"]


def test_state_has_the_published_names_shapes_and_order():
    with torch.device("meta"):
        state = BodyNetwork().state_dict()
    assert [[key, published_name(key), list(tensor.shape)] for key, tensor in state.items()] == TABLE


def test_published_shapes_cover_the_file():
    assert published_shapes() == {name: tuple(shape) for _, name, shape in TABLE}


def test_forward_agrees_with_the_original(body_tensors):
    reference = np.load(REFERENCE / "body_network.npz")
    for index, name in ((0, "w0"), (-2, "wlast")):
        first = list(body_tensors.values())[index].flatten()[:5]
        np.testing.assert_array_equal(first, reference[f"bodypose_model_{name}_first5"])
    with torch.inference_mode():
        fields, maps = network_from_published(body_tensors)(torch.from_numpy(reference["net_fwd_input"]))
    np.testing.assert_allclose(fields, reference["bodypose_model_fwd_out0"], atol=2e-6)
    np.testing.assert_allclose(maps, reference["bodypose_model_fwd_out1"], atol=2e-6)


def test_only_the_last_heatmaps_are_never_negative(body_tensors):
    with torch.inference_mode():
        network = network_from_published(body_tensors)
        fields, maps = network(torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(0)) - 0.5)
        features = network.model0(torch.zeros((1, 3, 32, 32)))
        first = network.get_submodule("model1_2")(features)
    assert maps.min() == 0
    assert fields.min() < 0
    assert first.min() < 0
