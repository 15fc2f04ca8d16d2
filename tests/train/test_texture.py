"""The texture code: where it starts, and what it may become."""

import pytest
import torch

from s2hand.train.encoder import Anchor, Encoder
from s2hand.train.mano import load_hand_model
from s2hand.train.model import HandNetwork, render_hands
from s2hand.train.settings import EncoderSettings
from s2hand.train.texture import MEAN_SKIN, TextureCode, TextureHead


def test_training_starts_with_mean_skin_in_light_from_the_camera():
    torch.manual_seed(0)
    code = TextureHead(24).eval()(torch.rand(4, 24, 16, 16))
    assert code.colors.shape == (4, 778, 3)
    torch.testing.assert_close(code.colors.mean((0, 1)), torch.tensor(MEAN_SKIN), atol=0.03, rtol=0)
    assert code.lights[:, 10].min() > 0.8
    lit = code.lights[:, 0] + code.lights[:, 1]
    assert (lit - 1.1).abs().max() < 0.2


def test_colours_are_colours_whatever_the_features():
    torch.manual_seed(0)
    colors = TextureHead(24)(1e3 * torch.randn(2, 24, 16, 16)).colors
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"TextureCode.colors: expected \[2, 778, 3\], found \[2, 777, 3\]"):
        TextureCode(torch.zeros(2, 777, 3), torch.zeros(2, 11))


def test_the_texture_comes_from_an_early_map():
    torch.manual_seed(0)
    encoder = Encoder(EncoderSettings(pretrained="never"), Anchor(torch.zeros(3), torch.tensor([0.1, 0, 0])))
    K = torch.tensor([[[130.0, 0, 32], [0, 130, 32], [0, 0, 1]]]).repeat(2, 1, 1)
    encoded = encoder(torch.rand(2, 3, 64, 64), K)
    deep = encoder.backbone.conv_head.weight
    early = encoder.backbone.conv_stem.weight
    total = encoded.texture.colors.sum()
    assert torch.autograd.grad(total, early, retain_graph=True)[0].abs().max() > 0
    assert torch.autograd.grad(total, deep, allow_unused=True)[0] is None


def test_a_hand_is_rendered_where_it_projects_and_nowhere_else():
    hand = load_hand_model()
    torch.manual_seed(0)
    network = HandNetwork(EncoderSettings(pretrained="never"), hand).eval()
    K = torch.tensor([[[130.0, 0, 32], [0, 130, 32], [0, 0, 1]]])
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        hands = network(image, K)
        shown = render_hands(hand, hands, K, image)
    assert torch.equal(shown.rgb[:, :, shown.silhouette[0] == 0], image[:, :, shown.silhouette[0] == 0])
    columns, rows = hands.joints_px[0, 9].long().tolist()
    assert shown.silhouette[0, rows, columns] == 1
    assert 0.3 < float(shown.depth[0, rows, columns]) < 1.0
