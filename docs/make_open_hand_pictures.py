"""Draws docs/open-hand.png: the open hand in named poses, four views each, with the project's own renderer.

Run from the repository's root: `python docs/make_open_hand_pictures.py`.
"""

from pathlib import Path

import cv2
import numpy as np
import torch

from s2hand.train import load_hand_model, render
from s2hand.train.openhand.gestures import GESTURES

POSES = ("flat", "fist", "pinch", "spread", "point", "victory")
# the way towards the viewer and the way that is up in the picture, in the template's frame
VIEWS = {
    "back": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)),
    "palm": ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)),
    "thumb side": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    "three quarters": ((-0.45, 0.62, 0.64), (0.2, 1.0, 0.0)),
}
SIDE = 260
FOCAL = 1080.0  # pixels: a long lens, so that perspective does not swell what is near
SKIN = (0.86, 0.66, 0.55)
LIGHT = (0.42, 0.62, 1.0, 1.0, 1.0, 1.0, 0.97, 0.93, 0.42, 0.55, 0.72)


def looking(toward: tuple[float, ...], up: tuple[float, ...]) -> np.ndarray:
    """The rotation [3, 3] from the template's frame to a camera (x right, y down, z forward)."""
    forward = -np.array(toward) / np.linalg.norm(toward)
    right = np.cross(forward, np.array(up))
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def main() -> None:
    """Renders every pose from every view and writes the sheet."""
    hand = load_hand_model("open", flat_hand_mean=True)
    poses = torch.tensor(np.array([GESTURES[name] for name in POSES]), dtype=torch.float32)
    meshes = hand(axis_angle=poses).vertices.numpy()
    K = torch.tensor([[[FOCAL, 0, SIDE / 2], [0, FOCAL, SIDE / 2], [0, 0, 1]]])
    rows = []
    for name, vertices in zip(POSES, meshes, strict=True):
        tiles = []
        for view, (toward, up) in VIEWS.items():
            seen = vertices @ looking(toward, up).T
            seen = seen - 0.5 * (seen.min(axis=0) + seen.max(axis=0))
            extent = np.ptp(seen[:, :2], axis=0).max()
            seen[:, 2] += FOCAL * extent / (0.86 * SIDE)
            image = render(
                torch.tensor(seen[None], dtype=torch.float32),
                hand.faces,
                torch.tensor(SKIN).expand(1, 778, 3),
                K,
                torch.tensor([LIGHT]),
                image_size=(SIDE, SIDE),
                background=(0.96, 0.96, 0.96),
                supersampling=3,
            )
            tile = np.ascontiguousarray((image.rgb[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
            cv2.putText(tile, f"{name}, {view}", (5, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (40, 40, 40), 1, cv2.LINE_AA)
            tiles.append(tile)
        rows.append(np.hstack(tiles))
    path = Path(__file__).parent / "open-hand.png"
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


if __name__ == "__main__":
    main()
