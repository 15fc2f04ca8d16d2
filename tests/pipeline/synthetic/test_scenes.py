import json

import numpy as np
import pytest
from typer.testing import CliRunner

from s2hand.detect.boxes.fit.compose import compose
from s2hand.detect.boxes.fit.pieces import load_pieces
from s2hand.detect.boxes.fit.settings import SceneSettings as Composing
from s2hand.pipeline.cli import app
from s2hand.pipeline.synthetic.people import render_person
from s2hand.pipeline.synthetic.photo import Foreground
from s2hand.pipeline.synthetic.scenes import SceneSettings, encode, make_pieces

SMALL = SceneSettings(hands=6, people=4, backgrounds=3, size=64, workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("pieces") / "out"
    assert make_pieces(SMALL, out) == 13 + 3
    return out


def test_the_seed_decides_and_the_number_of_processes_does_not(folder, tmp_path):
    make_pieces(SMALL.model_copy(update={"workers": 2}), tmp_path / "two")
    make_pieces(SMALL.model_copy(update={"seed": 1}), tmp_path / "other")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.npy"))
    assert len(files) == 10
    for name in files:
        assert (folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert (folder / files[0]).read_bytes() != (tmp_path / "other" / files[0]).read_bytes()


def test_joints_lie_on_the_skin_that_is_seen(folder):
    pieces, _ = load_pieces(folder, "training")
    masks = np.unpackbits(pieces.hand_masks, axis=-1)
    for mask, cover, joints in zip(masks, pieces.hands[..., 3], pieces.joints, strict=True):
        assert (cover[mask > 0] > 100).all()
        inside = joints[((joints >= 0) & (joints < 64)).all(1)].astype(int)
        near = [mask[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5].any() for x, y in inside]
        assert np.mean(near) > 0.6  # the others are hidden
        rows, columns = np.nonzero(mask)
        low, high = joints.min(0), joints.max(0)
        assert low[0] - 8 < columns.min()
        assert columns.max() < high[0] + 8
        assert low[1] - 8 < rows.min()
        assert rows.max() < high[1] + 8


def test_a_scene_of_these_pieces(folder):
    pieces, _ = load_pieces(folder, "training")
    scenes = [compose(pieces, Composing(side=96), 1.0, np.random.default_rng(seed)) for seed in range(20)]
    assert {len(scene.boxes) for scene in scenes} >= {0, 1, 2}
    assert all((scene.boxes[:, :2] > 0).all() and (scene.boxes[:, :2] < 96).all() for scene in scenes)


def test_people_are_seen_and_cast_in_many_ways():
    people = [render_person(np.random.default_rng(seed), 64) for seed in range(8)]
    shares = np.array([(one.cover > 0.5).mean() for one in people])
    assert (shares > 0.01).sum() >= 6
    assert len({round(float(share), 3) for share in shares}) > 4
    assert all(np.isfinite(one.light).all() and (one.light >= 0).all() for one in people)


def test_encoding_keeps_colour_and_cover_and_bleeds_beyond_the_edge():
    cover = np.zeros((5, 5), np.float32)
    cover[:, :2] = 1
    cover[:, 2] = 0.5
    light = cover[..., None] * np.float32([0.2, 0.4, 0.8])
    coded = encode(Foreground(light, cover), 1.0)
    colour = np.array([0.2, 0.4, 0.8]) ** (1 / 2.2) * 255
    assert np.abs(coded[:, :4, :3] - colour).max() < 1
    assert coded[0, :, 3].tolist() == [255, 255, 128, 0, 0]


def test_what_others_made_is_not_replaced(folder, tmp_path):
    make_pieces(SMALL.model_copy(update={"hands": 1, "people": 1, "backgrounds": 1}), tmp_path / "out")
    make_pieces(SMALL.model_copy(update={"hands": 2, "people": 1, "backgrounds": 1}), tmp_path / "out")
    assert len(np.load(tmp_path / "out" / "training" / "hands.npy")) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match=r"scenes\.json"):
        make_pieces(SMALL, tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_the_command_makes_what_its_options_say(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("s2hand.pipeline.synthetic.scenes.make_pieces", lambda *given: asked.append(given) or 14)
    options = {"hands": 7, "people": 2, "backgrounds": 5, "seed": 3, "workers": 1}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = CliRunner().invoke(app, ["scenes", "--out", str(tmp_path / "pieces"), *words, "--json"])
    assert done.exit_code == 0, done.output
    ((settings, out, _),) = asked
    assert {name: getattr(settings, name) for name in options} == options
    assert out == tmp_path / "pieces"
    assert json.loads(done.stdout)["pieces"] == 14
