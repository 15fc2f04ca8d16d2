"""Pieces of scenes that are quick to draw: a palm with four fingers and a thumb, on plain backgrounds."""

import json

import cv2
import numpy as np
import pytest

from s2hand.detect.boxes.fit.pieces import Pieces

SIDE = 64
_FINGERS = [(-18, -20), (-8, -26), (2, -26), (12, -22), (26, -2)]  # of a right hand's back: the thumb at the left end


def draw_hand(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cut-out [S, S, 4], its mask [S, S] and its joints [21, 2]."""
    cover = np.zeros((SIDE, SIDE), np.uint8)
    palm = np.array([SIDE // 2, SIDE // 2 + 6])
    cv2.circle(cover, palm.tolist(), 11, 255, -1)
    joints = [palm + np.array([0, 12])]
    for tip in np.array(_FINGERS) * [-1, 1] + rng.integers(-1, 2, (5, 2)):
        cv2.line(cover, palm.tolist(), (palm + tip).tolist(), 255, 5)
        joints += [palm + tip * share for share in (0.4, 0.6, 0.8, 1.0)]
    hand = np.zeros((SIDE, SIDE, 4), np.uint8)
    hand[..., :3] = rng.integers(170, 230, 3)
    hand[..., 3] = cover
    return hand, cover > 127, np.array(joints, np.float32)


def make_pieces(count: int, seed: int) -> Pieces:
    rng = np.random.default_rng(seed)
    hands, masks, joints = (np.stack(part) for part in zip(*(draw_hand(rng) for _ in range(count)), strict=True))
    people = np.zeros((count, SIDE, SIDE, 4), np.uint8)
    people[:, 16:48, 16:48] = rng.integers(120, 200, (count, 1, 1, 4))
    backgrounds = np.broadcast_to(rng.integers(0, 90, (count, 1, 1, 3)), (count, SIDE, SIDE, 3)).astype(np.uint8)
    return Pieces(hands, np.packbits(masks, axis=-1), joints, people, backgrounds)


@pytest.fixture(scope="session")
def pieces() -> Pieces:
    return make_pieces(12, 0)


@pytest.fixture(scope="session")
def pieces_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces")
    for seed, split in enumerate(("training", "evaluation")):
        (folder / split).mkdir()
        some = make_pieces(12, seed)
        for name in ("hands", "hand_masks", "joints", "people", "backgrounds"):
            np.save(folder / split / f"{name}.npy", getattr(some, name))
    (folder / "scenes.json").write_text(json.dumps({"seed": 0}))
    return folder
