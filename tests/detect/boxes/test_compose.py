import numpy as np
import pytest

from s2hand.detect.boxes.fit.compose import LEFT, RIGHT, _Canvas, compose
from s2hand.detect.boxes.fit.pieces import load_pieces
from s2hand.detect.boxes.fit.settings import SceneSettings

PLAIN = SceneSettings(
    side=96, counts=(0, 1), sizes=(0.3, 0.6), people=(1,), front=0, color=0, blur=0, noise=0, jpeg=0, degrade_over=0
)


def test_the_seed_decides(pieces):
    busy = SceneSettings(side=96)
    a, b, c = (compose(pieces, busy, 1.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.boxes, b.boxes)
    assert not np.array_equal(a.image, c.image)


def test_hands_lie_in_their_boxes(pieces):
    seen = 0
    for seed in range(12):
        scene = compose(pieces, PLAIN, 0.0, np.random.default_rng(seed))
        bright = np.argwhere(scene.image.max(-1) > scene.image[0, 0].max() + 40)[:, ::-1]
        if not len(scene.boxes) or not len(bright):
            continue
        seen += 1
        x, y, w, h = scene.boxes[0]
        low, high = np.array([x - w / 2, y - h / 2]), np.array([x + w / 2, y + h / 2])
        slack = 0.15 * max(w, h) + 1  # skin reaches beyond the joints
        assert (bright.min(0) > np.maximum(low, 0) - slack).all()
        assert (bright.max(0) < np.minimum(high, 96) + slack).all()
    assert seen > 2


def test_sizes_and_counts_are_kept(pieces):
    scenes = [compose(pieces, PLAIN, 0.0, np.random.default_rng(seed)) for seed in range(60)]
    sizes = np.concatenate([scene.boxes[:, 2:].max(1) for scene in scenes]) / 96
    assert 0.29 < sizes.min() < 0.36
    assert 0.5 < sizes.max() < 0.61
    assert {len(scene.boxes) + len(scene.ignored) for scene in scenes} <= {0, 1}
    sides = np.concatenate([scene.sides for scene in scenes])
    assert 0.3 < (sides == LEFT).mean() < 0.7


def test_a_left_hand_is_a_mirrored_right_one(pieces):
    drawn = handedness(np.argwhere(pieces.hands[0, ..., 3] > 127))
    seen = {RIGHT: 0, LEFT: 0}
    for seed in range(60):
        scene = compose(pieces, PLAIN, 0.0, np.random.default_rng(seed))
        dark = scene.image[0, 0].max() < 100  # else it is letterboxed
        if dark and len(scene.boxes) and (np.abs(scene.boxes[0, :2] - 48) < 15).all():
            shown = handedness(np.argwhere(scene.image.max(-1) > scene.image[0, 0].max() + 40))
            assert shown == (drawn if scene.sides[0] == RIGHT else -drawn)
            seen[int(scene.sides[0])] += 1
    assert min(seen.values()) > 3


def handedness(pixels: np.ndarray) -> int:  # [N, 2] row, column
    """The sign of a product of third moments that changes under mirroring, but not under rotation."""
    z = pixels[:, 1] + 1j * pixels[:, 0]
    z = z - z.mean()
    m21, m30 = (z * z * z.conj()).mean(), (z**3).mean()
    return int(np.sign((m30 * m21.conj() ** 3).imag))


def test_hidden_hands_are_set_aside(pieces):
    crowded = SceneSettings(side=96, counts=(0, 0, 0, 0, 1), sizes=(0.7, 1.0), pairs=0.9)
    scenes = [compose(pieces, crowded, 0.0, np.random.default_rng(seed)) for seed in range(20)]
    assert sum(len(scene.ignored) for scene in scenes) > 0
    assert all(len(scene.boxes) >= 1 for scene in scenes)  # the last one lies on top


def test_pieces_are_read_where_they_lie(pieces_folder):
    pieces, digest = load_pieces(pieces_folder, "training")
    assert isinstance(pieces.hands, np.memmap)
    assert digest != load_pieces(pieces_folder, "evaluation")[1]
    assert pieces.tints.shape == (12, 3)
    assert (pieces.tints > 150).all()


def test_what_is_not_pieces_is_refused(tmp_path, pieces):
    with pytest.raises(ValueError, match=r"scenes\.json: no such file"):
        load_pieces(tmp_path, "training")
    (tmp_path / "scenes.json").write_text("{}")
    with pytest.raises(ValueError, match=r"hands\.npy: expected an array that `s2hand scenes` wrote"):
        load_pieces(tmp_path, "training")
    with pytest.raises(ValueError, match=r"Pieces\.joints: expected shape \(12, 21, 2\)"):
        type(pieces)(pieces.hands, pieces.hand_masks, pieces.joints[:5], pieces.people, pieces.backgrounds)


def test_what_is_pasted_beside_the_picture_is_not_seen(pieces):
    canvas = _Canvas(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), -1, np.int16))
    mask = np.unpackbits(pieces.hand_masks[0], axis=-1) * np.uint8(255)
    for x, shown in ((32.0, False), (0.0, True)):
        canvas.paste(pieces.hands[0], mask, np.array([[1.0, 0, x], [0, 1, 0]]), 0, np.ones(3))
        assert (canvas.owner == 0).any() == canvas.image.any() == shown
