from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from s2hand.datasets.cameras import mirror_image
from s2hand.detect.blocks import stored_tensors
from s2hand.detect.boxes.judge import MARGIN, Judge, square_around
from s2hand.detect.boxes.localizer import LOOKS, MOST, SIZES, SlimLocalizer, even_out
from s2hand.detect.boxes.network import BoxesNet, boxes_net_from_tensors, build_boxes_net
from s2hand.detect.detector import HandDetector


def fresh_tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights that nobody trained, but whose maps vary."""
    network = build_boxes_net(seed)
    torch.nn.init.normal_(network.head.weight, std=0.5, generator=torch.Generator().manual_seed(seed))
    torch.nn.init.zeros_(network.head.bias)
    return {name: tensor.detach() for name, tensor in stored_tensors(network).items()}


@pytest.fixture(scope="module")
def detector() -> HandDetector:
    return HandDetector.load("slim")


@pytest.fixture(scope="module")
def finder(detector) -> SlimLocalizer:
    judge = Judge(0.0, 1.0, 0.0, 0.0, 0.3)  # whatever the finder says
    return SlimLocalizer(boxes_net_from_tensors(fresh_tensors()), judge, detector, "0" * 64, torch.device("cpu"))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 156, (12, 16, 3), np.uint8).repeat(32, 0).repeat(32, 1)
    return coarse + rng.integers(0, 100, (96, 128, 3), np.uint8).repeat(4, 0).repeat(4, 1)  # 384 x 512


def test_folded_weights_are_the_same_network():
    tensors = fresh_tensors()
    network = BoxesNet().eval()
    network.load_state_dict(tensors, strict=False)
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(boxes_net_from_tensors(tensors)(x), network(x), rtol=1e-4, atol=1e-4)
        assert network(x).shape == (2, 5, 8, 12)


def test_a_mirrored_photograph_gives_mirrored_boxes_of_the_other_hands(finder, picture):
    (hands,) = finder.locate([picture], ["a"])
    (mirrored,) = finder.locate([mirror_image(picture)], ["a"])
    assert len(hands) > 3
    ours = np.array([(one.box.x, one.box.y, one.box.w) for one in hands])
    theirs = np.array([(picture.shape[1] - one.box.x - one.box.w, one.box.y, one.box.w) for one in mirrored])
    distance = np.abs(ours[:, None] - theirs).max(-1)
    alike = distance.min(1) < 0.1
    assert alike.mean() > 0.9  # of equally likely ones, another may be the last that is kept
    pairs = [(hands[i].hand, mirrored[distance[i].argmin()].hand) for i in np.flatnonzero(alike)]
    assert np.mean([one != other for one, other in pairs]) > 0.9  # in what is no hand, one may be a toss-up


def test_answers_depend_on_the_image_alone(finder, picture):
    other = picture[::-1, :300].copy()
    assert finder.locate([picture, other], ["a", "b"]) == [
        *finder.locate([picture], ["c"]),
        *finder.locate([other], [""]),
    ]
    assert finder.locate([], []) == []


def test_boxes_are_squares_with_a_margin_and_centres_inside(finder, picture):
    found, _ = finder.find(picture)
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores >= 0.3).all()
    assert 0 < len(found) <= MOST
    (hands,) = finder.locate([picture], ["a"])
    for hand, box in zip(hands, found.boxes, strict=True):
        assert hand.box.w == hand.box.h == pytest.approx(max(box[2:]) * MARGIN)
        assert hand.box == square_around(box)
        assert 0 < hand.box.x + hand.box.w / 2 < 512
        assert 0 < hand.box.y + hand.box.h / 2 < 384


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (2000, 125), (191, 193), (1500, 2000)])
def test_images_of_any_size(finder, shape):
    rng = np.random.default_rng(0)
    image = np.full((*shape, 3), rng.integers(0, 256, 3), np.uint8)
    (hands,) = finder.locate([image], ["a"])
    assert len(hands) <= MOST


def test_looks_share_the_sizes_without_a_gap():
    shares = [(SIZES[0] / look, SIZES[1] / look) for look in LOOKS]
    for coarse, fine in pairwise(shares):
        assert fine[1] > 2 * coarse[0]


def test_even_out_is_its_own_mirror():
    maps, mirrored = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(1))
    one, other = even_out(maps, mirrored), even_out(mirrored, maps)
    back = other.flip(-1)
    back[1] *= -1
    torch.testing.assert_close(one, back)


def test_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected weights of the slim finder of hands, found those of the slim hand"):
        SlimLocalizer.load(_saved(tmp_path, {"network": "slim"}))
    with pytest.raises(ValueError, match="metadata `judge`"):
        SlimLocalizer.load(_saved(tmp_path, {"network": "slim-boxes"}))
    with pytest.raises(ValueError, match="no such weight file"):
        SlimLocalizer.load(tmp_path / "nowhere")


def test_a_cut_weight_file_names_what_is_missing(tmp_path):
    tensors = fresh_tensors()
    del tensors["head.bias"]
    save_file(tensors, tmp_path / "cut.safetensors", {"network": "slim-boxes", "judge": "{}"})
    with pytest.raises(ValueError, match=r"missing is head\.bias"):
        SlimLocalizer.load(tmp_path / "cut.safetensors")


def _saved(folder, metadata):
    save_file(fresh_tensors(), folder / "some.safetensors", metadata)
    return folder / "some.safetensors"
