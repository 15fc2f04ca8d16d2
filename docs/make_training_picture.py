"""Draw `reconstructions.png`: held-back photographs, and the hands that the trained network finds in them.

    python docs/make_training_picture.py [ROW ...]

Run it after `dvc repro`: it reads `outputs/model` and `data/packs/eval.h5`. In columns: the crop, its joints, the hand
before it, the silhouette, the textured mesh from the camera, and from the side. ROW are rows of the pack.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2hand.datasets.drawing import draw_hand, write_png
from s2hand.datasets.packs import Pack
from s2hand.train.model import Hands, render_hands
from s2hand.train.predict import load_network
from s2hand.train.render import render

ROWS = (3, 41, 160, 222, 305)
TILE, GAP = 224, 6


def enlarge(images: Tensor) -> list[NDArray[np.uint8]]:
    """Images [B, 3, S, S] as bytes, TILE pixels of a side."""
    arrays = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return [cv2.resize(array, (TILE, TILE), interpolation=cv2.INTER_CUBIC) for array in arrays]


def mesh_views(hands: Hands, faces: Tensor, K: Tensor, degrees: float) -> list[NDArray[np.uint8]]:
    """The textured meshes before white, turned about the vertical axis through their middle."""
    vertices = hands.vertices_cam
    middle = vertices.mean(1, keepdim=True)
    angle = torch.tensor(np.radians(degrees), dtype=torch.float32)
    c, s = angle.cos(), angle.sin()
    turn = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    turned = (vertices - middle) @ turn.T + middle
    scale = TILE / (2 * K[0, 0, 2])
    finer = K.clone()
    finer[:, :2] *= scale
    image = render(turned, faces, hands.texture.colors, finer, hands.texture.lights, (TILE, TILE), supersampling=3)
    return enlarge(image.rgb)


@torch.no_grad()
def main() -> None:
    """Draw and write the picture."""
    chosen = [int(row) for row in sys.argv[1:]] or list(ROWS)
    network, _ = load_network(Path("outputs/model"), device="cpu")
    rows = Pack("data/packs/eval.h5").rows(chosen)
    images = torch.from_numpy(rows.images).permute(0, 3, 1, 2).float() / 255
    K = torch.from_numpy(rows.K)
    hands = network(images, K)
    shown = render_hands(network.hand, hands, K, images, 3)
    drawn = enlarge(images)
    for picture, joints in zip(drawn, hands.joints_px.numpy(), strict=True):
        scaled = joints * (TILE / images.shape[-1])
        draw_hand(picture, np.concatenate([scaled, np.ones((21, 1))], axis=1).astype(np.float32))
    columns = [
        enlarge(images),
        drawn,
        enlarge(shown.rgb),
        enlarge(shown.silhouette[:, None].expand(-1, 3, -1, -1)),
        mesh_views(hands, network.hand.faces, K, 0.0),
        mesh_views(hands, network.hand.faces, K, 60.0),
    ]
    step = TILE + GAP
    page = np.full((len(chosen) * step - GAP, len(columns) * step - GAP, 3), 255, np.uint8)
    for column, tiles in enumerate(columns):
        for row, tile in enumerate(tiles):
            page[row * step : row * step + TILE, column * step : column * step + TILE] = tile
    write_png(Path(__file__).parent / "reconstructions.png", page)


if __name__ == "__main__":
    main()
