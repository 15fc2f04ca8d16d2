"""Checkpoints: whole, and only for what they were trained with."""

from importlib.metadata import version

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from s2hand.datasets.packs import Pack
from s2hand.train.checkpoint import (
    BEST,
    FORMAT,
    HISTORY,
    STATE,
    WEIGHTS,
    CheckpointError,
    Identity,
    find_checkpoint,
    hand_digest,
    read_checkpoint,
    read_state,
    write_history,
    write_state,
    write_weights,
)
from s2hand.train.mano import HandModel, load_hand_model
from s2hand.train.model import HandNetwork, project
from s2hand.train.predict import Predictions, predict
from s2hand.train.settings import EncoderSettings, TrainSettings

SETTINGS = TrainSettings(encoder=EncoderSettings(pretrained="never", grid=2))


@pytest.fixture(scope="module")
def hand():
    return load_hand_model()


@pytest.fixture(scope="module")
def trained(hand, tmp_path_factory):
    """A folder with the weights of an untrained network for 64 px crops."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    network = HandNetwork(SETTINGS.encoder, hand)
    write_weights(folder / WEIGHTS, network.state_dict(), Identity(SETTINGS, hand_digest(hand), "data", 64, "code"))
    return folder


def test_weights_come_back_with_what_they_belong_to(trained, hand):
    checkpoint = read_checkpoint(trained)
    assert checkpoint.identity == Identity(SETTINGS, hand_digest(hand), "data", 64, "code")
    assert "encoder.head.weight" in checkpoint.weights


def test_weights_say_which_versions_made_them(trained, tmp_path):
    assert read_checkpoint(trained).versions == {"s2hand": version("s2hand"), "torch": torch.__version__}
    with safe_open(trained / WEIGHTS, "pt") as file:
        older = {key: value for key, value in file.metadata().items() if key not in ("versions", "samples")}
    save_file({"encoder.head.weight": torch.zeros(1)}, tmp_path / WEIGHTS, older)
    assert read_checkpoint(tmp_path).versions == {}


def test_a_checkpoint_is_a_folder_or_a_file_in_it(tmp_path):
    assert find_checkpoint(tmp_path) == (tmp_path, WEIGHTS)
    assert find_checkpoint(tmp_path / BEST) == (tmp_path, BEST)
    assert find_checkpoint(tmp_path / "not-yet") == (tmp_path / "not-yet", WEIGHTS)


def test_hand_models_differ_by_digest(hand, random_hand_arrays):
    other = HandModel(random_hand_arrays(), (1, 2, 3, 4, 5))
    moved_tips = HandModel(random_hand_arrays(), (1, 2, 3, 4, 6))
    assert len({hand_digest(hand), hand_digest(other), hand_digest(moved_tips)}) == 3
    assert hand_digest(load_hand_model()) == hand_digest(hand)


def test_predictions_are_the_networks(trained, tiny_pack, hand):
    pack = Pack(tiny_pack)
    seen = []
    predictions = predict(
        trained, pack, batch_size=3, progress=lambda done, total: seen.append((done, total)), device="cpu"
    )
    assert seen == [(3, 8), (6, 8), (8, 8)]
    network = HandNetwork(SETTINGS.encoder, hand)
    network.load_state_dict(read_checkpoint(trained).weights)
    rows = pack.rows(range(8))
    with torch.no_grad():
        images = torch.from_numpy(rows.images).permute(0, 3, 1, 2) / 255
        hands = network.eval()(images, torch.from_numpy(rows.K))
    np.testing.assert_allclose(predictions.joints_cam, hands.joints_cam, atol=1e-5)
    np.testing.assert_allclose(predictions.vertices_cam, hands.vertices_cam, atol=1e-5)
    np.testing.assert_allclose(predictions.codes, hands.code.vector(), atol=1e-4)
    pixels = project(torch.from_numpy(predictions.joints_cam), torch.from_numpy(rows.K))
    np.testing.assert_allclose(predictions.joints_px, pixels, atol=1e-3)


def test_predictions_of_the_best_epoch_are_its_own(trained, tiny_pack, hand, tmp_path):
    checkpoint = read_checkpoint(trained)
    changed = checkpoint.weights | {"encoder.head.bias": checkpoint.weights["encoder.head.bias"] + 0.3}
    write_weights(tmp_path / WEIGHTS, checkpoint.weights, checkpoint.identity)
    write_weights(tmp_path / BEST, changed, checkpoint.identity)
    last, best = (predict(tmp_path, Pack(tiny_pack), device="cpu", name=name) for name in (WEIGHTS, BEST))
    assert np.abs(last.joints_cam - best.joints_cam).max() > 1e-3


def test_another_hand_model_is_refused(trained, tiny_pack, mano_pickle):
    expected, found = (hand_digest(load_hand_model(source))[:16] for source in ("open", mano_pickle))
    with pytest.raises(CheckpointError, match=f"another hand model than .*digest {expected}, found {found}"):
        predict(trained, Pack(tiny_pack), str(mano_pickle))


def test_crops_of_another_size_are_refused(hand, tiny_pack, tmp_path):
    network = HandNetwork(SETTINGS.encoder, hand)
    write_weights(tmp_path / WEIGHTS, network.state_dict(), Identity(SETTINGS, hand_digest(hand), "data", 96, "code"))
    with pytest.raises(CheckpointError, match=r"trained on crops of 96 pixels, .* has 64"):
        predict(tmp_path, Pack(tiny_pack))


def test_a_missing_checkpoint_says_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: no such file; train first"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_checkpoint_is_refused(trained, tmp_path, damage):
    content = (trained / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(content[:-1000] if damage is None else damage)
    with pytest.raises(CheckpointError, match="train again"):
        read_checkpoint(tmp_path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    save_file({"encoder.head.weight": torch.zeros(1)}, tmp_path / WEIGHTS, {"format": "0"})
    with pytest.raises(CheckpointError, match=f"format: expected {FORMAT}, found 0"):
        read_checkpoint(tmp_path)


def test_weights_of_another_network_are_refused(tiny_pack, hand, tmp_path):
    identity = Identity(SETTINGS, hand_digest(hand), "data", 64, "code")
    write_weights(tmp_path / WEIGHTS, {"encoder.head.weight": torch.zeros(1)}, identity)
    with pytest.raises(CheckpointError, match="not the weights of this network; train again"):
        predict(tmp_path, Pack(tiny_pack))


@pytest.mark.parametrize("field", ["vertices_cam", "joints_px", "codes"])
def test_predictions_that_do_not_belong_together_are_refused(field):
    shapes = {"joints_cam": (2, 21, 3), "vertices_cam": (2, 778, 3), "joints_px": (2, 21, 2), "codes": (2, 47)}
    arrays = {name: np.zeros((1, *shape[1:]) if name == field else shape, np.float32) for name, shape in shapes.items()}
    with pytest.raises(ValueError, match=rf"Predictions.{field}: expected \(2, .*, found \(1, "):
        Predictions(**arrays)


def test_state_is_only_for_the_same_run(tmp_path):
    mine = Identity(SETTINGS, "hand", "data", 64, "code")
    write_state(tmp_path, {"number": 3, "tensor": torch.arange(3)}, mine)
    state = read_state(tmp_path, mine)
    assert state is not None
    assert state["number"] == 3
    others = [
        Identity(SETTINGS.model_copy(update={"seed": 1}), "hand", "data", 64, "code"),
        Identity(SETTINGS, "other", "data", 64, "code"),
        Identity(SETTINGS, "hand", "other", 64, "code"),
        Identity(SETTINGS, "hand", "data", 96, "code"),
        Identity(SETTINGS, "hand", "data", 64, "other"),
    ]
    assert all(read_state(tmp_path, other) is None for other in others)


def test_settings_that_compute_the_same_share_a_state(tmp_path):
    write_state(tmp_path, {}, Identity(SETTINGS, "hand", "data", 64, "code"))
    roomier = SETTINGS.model_copy(update={"memory_gb": 8.0})
    assert read_state(tmp_path, Identity(roomier, "hand", "data", 64, "code")) is not None


def test_no_state_is_no_error(tmp_path):
    assert read_state(tmp_path, Identity(SETTINGS, "hand", "data", 64, "code")) is None


def test_a_damaged_state_is_refused_and_runs_nothing(tmp_path):
    import pickle

    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    (tmp_path / STATE).write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(CheckpointError, match="delete it to train from the start"):
        read_state(tmp_path, Identity(SETTINGS, "hand", "data", 64, "code"))
    assert not (tmp_path / "touched").exists()


def test_a_history_has_the_columns_of_all_its_rows_and_begins_with_the_first(tmp_path):
    write_history(tmp_path, [])
    assert not (tmp_path / HISTORY).exists()
    write_history(tmp_path, [{"stage": "shape", "E_loc": 0.25}, {"stage": "keypoints", "E_2d": 1 / 3}])
    assert (tmp_path / HISTORY).read_text() == "stage,E_loc,E_2d\nshape,0.25,\nkeypoints,,0.333333\n"
