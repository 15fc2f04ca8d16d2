"""Pictures of a hand as two runs reconstructed it: its crop, and over it the mesh and the joints of either run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from s2hand.datasets.cameras import mirror_image, mirror_intrinsics, mirror_points_cam, project
from s2hand.datasets.drawing import Image
from s2hand.datasets.packs import Pack
from s2hand.pipeline.reconstruct.overlays import draw_joints, fit
from s2hand.pipeline.report.predicted_hands import PredictedHands
from s2hand.train.mano import HandModel, load_hand_model
from s2hand.train.mano import place as put_before_camera
from s2hand.train.render import render
from s2hand.train.texture import FIRST_LIGHT

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]

SHORTEST, LONGEST = 192, 256  # pixels of a side of a picture
_SKIN = (0.62, 0.78, 0.95)  # of the meshes: no photograph's hand is blue
_OPACITY = 0.7


@dataclass(frozen=True, eq=False)
class Side:
    """What one run made: its predictions, and its hand model; without that, or its code, no mesh is drawn."""

    name: str
    hands: PredictedHands
    model: HandModel | None

    @property
    def has_mesh(self) -> bool:
        """Whether meshes can be made of its predictions."""
        return self.model is not None and self.hands.code is not None


def load_side(name: str, hands: PredictedHands, model: Path | None) -> Side:
    """Load the hand model in the file `model`. Raises HandFileError, a ValueError, where that is none."""
    return Side(name, hands, None if model is None or hands.code is None else load_hand_model(model))


def draw_changes(
    pack: Pack,
    rows: Indices,  # [N] of the pack
    places: Sequence[Indices],  # [N] in the table of each side
    sides: Sequence[Side],
) -> Iterator[list[Image]]:
    """Yield of each hand its crop, and what each side made of it, as in the photograph: left hands are left ones."""
    for row, *own in zip(rows, *places, strict=True):
        sample = pack.rows(row)
        crop, K = sample.images[0], sample.K[0].astype(np.float64)
        if sample.mirrored[0]:
            crop, K = mirror_image(crop), mirror_intrinsics(K, pack.size)
        picture, ratio = fit(crop, SHORTEST, LONGEST)
        finer = np.diag([*ratio, 1.0]) @ K
        drawn = [draw_prediction(picture, finer, side, int(place)) for side, place in zip(sides, own, strict=True)]
        yield [picture, *drawn]


def draw_prediction(picture: Image, K: Floats, side: Side, place: int) -> Image:
    """Draw a predicted hand, the mesh if there is one, and its joints, into a copy of a picture whose camera is K."""
    drawn = picture.copy()
    vertices = vertices_cam(side, place)
    if vertices is not None and side.model is not None:
        rendered = _render(picture, K, vertices, side.model)
        cv2.addWeighted(rendered, _OPACITY, picture, 1 - _OPACITY, 0, dst=drawn)
    if side.hands.joints_cam is not None:
        draw_joints(drawn, project(side.hands.joints_cam[place], K).astype(np.float32))
    return drawn


def vertices_cam(side: Side, place: int) -> Floats | None:  # [778, 3]
    """Return the mesh of a predicted hand, as in its photograph, by its parameters: M = s M0 R + T."""
    if side.model is None or side.hands.code is None:
        return None
    pose, shape, scale, rotation, translation = (
        torch.from_numpy(part[[place]].astype(np.float32)) for part in side.hands.code
    )
    with torch.inference_mode():
        placed = put_before_camera(side.model(pose, shape, rotation), scale, translation)
    vertices: Floats = placed.vertices[0].numpy()
    return mirror_points_cam(vertices) if side.hands.left[place] else vertices


def _render(picture: Image, K: Floats, vertices: Floats, model: HandModel) -> Image:
    behind = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    mesh, camera = (torch.from_numpy(values.astype(np.float32))[None] for values in (vertices, K))
    colors, lights = torch.tensor(_SKIN).expand_as(mesh), torch.tensor(FIRST_LIGHT)[None]
    size = (picture.shape[0], picture.shape[1])
    with torch.inference_mode():
        rgb = render(mesh, model.faces, colors, camera, lights, size, background=behind).rgb[0]
    image: Image = (rgb.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return image
